//! A text that is kept out of everything that is written down.

use core::fmt;

/// What a method takes as `minion:host/types.secret`: a password, a token, a key.
///
/// Its `Debug` and `Display` say `[secret]`. The host keeps it out of journals, logs and recordings; what a module
/// makes of it (a digest, a line of a file) is the module's to keep to itself. Give it to programs by their standard
/// input, [`Program::stdin`](crate::program::Program::stdin): arguments are seen by everybody on the machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The text.
    pub secret: String,
}

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { secret: text.into() }
    }

    /// The text, to be used and not to be shown.
    pub fn text(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_show_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {secret}"), "[secret] [secret]");
        assert_eq!(secret.text(), "hunter2");
    }
}
