//! Files that may be missing, and the one-line files of /sys and /proc.

use crate::{Error, ErrorKind, Result, files, program::lossy};

/// A whole file of text; what is not UTF-8 in it is shown as U+FFFD.
pub fn text(path: &str) -> Result<String> {
    files::read(path).map(lossy)
}

/// The text of a file that not every machine has; none where it is missing.
pub fn optional(path: &str) -> Result<Option<String>> {
    if_there(text(path))
}

/// The one line of a file.
pub fn line(path: &str) -> Result<String> {
    Ok(text(path)?.trim().to_owned())
}

/// What a one-line file says; none where it is missing or empty, or where the kernel has nothing to say or does not say
/// it to this user. That it is not granted is an error all the same.
pub fn attribute(path: &str) -> Result<Option<String>> {
    if_told(text(path))
}

/// The number in a one-line file, where there is one.
pub fn number(path: &str) -> Result<Option<u64>> {
    Ok(attribute(path)?.and_then(|text| text.parse().ok()))
}

/// The names in a directory, sorted; none where it is missing.
pub fn names(path: &str) -> Result<Vec<String>> {
    let entries = if_there(files::list_dir(path))?.unwrap_or_default();
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

/// Where a link points; none where there is no link.
pub fn link(path: &str) -> Result<Option<String>> {
    if_told(files::read_link(path))
}

/// The last part of where a link points; none where there is no link.
pub fn link_name(path: &str) -> Result<Option<String>> {
    Ok(link(path)?.and_then(|target| target.rsplit('/').next().map(str::to_owned)))
}

/// None for what does not exist.
pub fn if_there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn if_told(result: Result<String>) -> Result<Option<String>> {
    match result {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(Error { kind: ErrorKind::Denied, .. }) => result.map(Some),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_no_error_and_any_other_trouble_is() {
        assert_eq!(if_there(Ok("x".to_owned())), Ok(Some("x".to_owned())));
        assert_eq!(if_there::<String>(Err(Error::not_found("x"))), Ok(None));
        assert!(if_there::<String>(Err(Error::failed("x"))).is_err());
    }

    #[test]
    fn an_attribute_that_says_nothing_is_none_but_a_denial_is_told() {
        assert_eq!(if_told(Ok(" x\n".to_owned())), Ok(Some("x".to_owned())));
        assert_eq!(if_told(Ok("\n".to_owned())), Ok(None));
        assert_eq!(if_told(Err(Error::failed("input/output error"))), Ok(None));
        assert!(if_told(Err(Error::new(ErrorKind::Denied, "x"))).is_err());
    }
}
