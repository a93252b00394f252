//! Making errors.

use crate::{Error, ErrorKind};

impl Error {
    /// An error of a kind. The message is one line that names the thing and what went wrong with it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
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
        let error = Error::not_found("no process 7").hint("list them with `process.list`");
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.message, "no process 7");
        assert_eq!(error.hint.as_deref(), Some("list them with `process.list`"));
    }
}
