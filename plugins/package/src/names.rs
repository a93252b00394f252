//! Names of packages.

use func_sdk::{Error, Result, checked};

use crate::exports::base::packages::package::Installed;

/// The name of a package, with its architecture where that is wanted: `libc6:amd64`. A `-` at its end would mean to
/// `apt-get` that it is to be removed.
pub fn one(text: &str) -> Result<String> {
    checked::word("package", text, "+-._:~")?;
    if text.ends_with(['-', ':']) || text.starts_with(['+', '_', ':', '~']) || text.matches(':').count() > 1 {
        return Err(Error::invalid(format!("{} is no name of a package", checked::shown(text))));
    }
    Ok(text.to_owned())
}

/// Several names, each once.
pub fn all(texts: &[String]) -> Result<Vec<String>> {
    if texts.len() > 1000 {
        return Err(Error::invalid(format!("{} packages are more than 1,000", texts.len())));
    }
    let mut names = texts.iter().map(|text| one(text)).collect::<Result<Vec<_>>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether one of the packages has this name, and this architecture where the name has one: as `libc6:amd64` or, as rpm writes
/// it, as `bash.x86_64`.
pub fn is_in(packages: &[Installed], name: &str) -> bool {
    let (name, architecture) = name.split_once(':').map_or((name, None), |(name, arch)| (name, Some(arch)));
    packages.iter().any(|p| {
        let is_it = p.name == name && architecture.is_none_or(|architecture| p.architecture == architecture);
        is_it || name.strip_prefix(p.name.as_str()).and_then(|rest| rest.strip_prefix('.')) == Some(&p.architecture)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in ["g++", "libc6:amd64", "python3.11", "a-b"] {
            assert!(one(name).is_ok(), "{name}");
        }
        for name in ["", "-y", "nginx-", "./x.deb", "/x.deb", "a b", "a*", "?x", "~n", "a=1", "a:b:c", "a:"] {
            assert!(one(name).is_err(), "{name}");
        }
        assert_eq!(all(&["b".into(), "a".into(), "b".into()]).unwrap(), ["a", "b"]);
    }

    #[test]
    fn an_architecture_counts_where_it_is_named() {
        let installed = Installed {
            name: "libc6".into(),
            version: "1".into(),
            architecture: "amd64".into(),
            size: 0,
            summary: String::new(),
        };
        let packages = [installed];
        assert!(is_in(&packages, "libc6") && is_in(&packages, "libc6:amd64") && !is_in(&packages, "libc6:i386"));
        assert!(is_in(&packages, "libc6.amd64") && !is_in(&packages, "libc6.i386") && !is_in(&packages, "libc"));
    }
}
