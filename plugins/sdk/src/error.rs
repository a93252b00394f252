//! Making errors.

use crate::{Error, ErrorKind, checked};

impl Error {
    /// An error of a kind. The message is one line that names the thing and what went wrong with it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// There is no such thing; `list` is the method that tells which there are.
    pub fn no_such(what: &str, name: &str, list: &str) -> Self {
        let name = checked::shown(name);
        Self::not_found(format!("there is no {what} {name}")).hint(format!("list them with `{list}`"))
    }

    /// The request makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// This machine cannot do it.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Anything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// The same error with a word on what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_carries_its_kind_and_hint() {
        let error = Error::no_such("process", "7", "process.list");
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.message, "there is no process `7`");
        assert_eq!(error.hint.as_deref(), Some("list them with `process.list`"));
    }
}
