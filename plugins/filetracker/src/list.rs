//! The list of tracked paths: a file with a line for each.

use std::collections::BTreeSet;

use func_sdk::{Error, ErrorKind, Result, checked, pattern};

const LONGEST: usize = 10_000;

/// The paths in the file.
pub fn parse(text: &str) -> BTreeSet<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with('/')).map(str::to_owned).collect()
}

/// The file for these paths.
pub fn text(paths: &BTreeSet<String>) -> Result<String> {
    if paths.len() > LONGEST {
        return Err(Error::new(ErrorKind::TooLarge, format!("{} paths are more than {LONGEST}", paths.len())));
    }
    Ok(paths.iter().flat_map(|path| [path.as_str(), "\n"]).collect())
}

/// Paths as callers give them.
pub fn checked(paths: &[String]) -> Result<BTreeSet<String>> {
    let check = |path: &String| {
        let path = checked::path("path", path)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if pattern::is_pattern(folder) {
            let message = format!("the path {} has a pattern before its last part", checked::shown(path));
            return Err(Error::invalid(message).hint("track each folder by itself"));
        }
        // A white space at its end would not be read back.
        if path.trim() != path {
            return Err(Error::invalid(format!("the path {} ends in white space", checked::shown(path))));
        }
        Ok(path.to_owned())
    };
    paths.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let paths = checked(&["/etc/passwd".into(), "/etc/cron.d/*".into(), "/etc/passwd".into()]).unwrap();
        assert_eq!(parse(&text(&paths).unwrap()), paths);
        assert_eq!(paths.len(), 2);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "etc", "/a/../b", "/a\n/b", "/*/x", "/a ", "/a\0"] {
            assert!(checked(&[path.to_owned()]).is_err(), "{path:?}");
        }
        assert!(text(&(0..=LONGEST).map(|n| format!("/{n}")).collect()).is_err());
    }
}
