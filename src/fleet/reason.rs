//! Why there is no result: a sentence for the operator, and the cause as the libraries tell it.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A sentence, which is what it displays as and derefs to; the cause beside it is for programs and for bug reports.
///
/// It is stored as one string, so that what was stored before there were causes is still read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    text: String,
    cause: Option<String>,
}

/// Between the sentence and the cause; neither holds it, for it is a control character (the unit separator).
const BORDER: char = '\u{1f}';

impl Reason {
    /// A sentence with its cause.
    pub fn new(text: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self { text: text.into(), cause: Some(cause.to_string().replace(BORDER, " ")) }
    }

    /// The cause, where the sentence leaves something out.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The same with words before the sentence.
    #[must_use]
    pub(super) fn after(self, words: &str) -> Self {
        Self { text: format!("{words}: {}", self.text), ..self }
    }
}

impl<T: Into<String>> From<T> for Reason {
    fn from(text: T) -> Self {
        Self { text: text.into().replace(BORDER, " "), cause: None }
    }
}

impl Deref for Reason {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.cause {
            Some(cause) => serializer.collect_str(&format_args!("{}{BORDER}{cause}", self.text)),
            None => serializer.serialize_str(&self.text),
        }
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.split_once(BORDER) {
            Some((text, cause)) => Self::new(text, cause),
            None => Self::from(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_stored_as_a_string_and_one_that_is_only_a_string_is_read() {
        let stored = |text: &str| postcard::from_bytes::<Reason>(&postcard::to_stdvec(text).unwrap()).unwrap();
        assert_eq!(stored("it is gone"), Reason::from("it is gone"));
        let reason = Reason::new("nobody listens there", "Connection refused (os error 111)\u{1f}");
        let read: Reason = postcard::from_bytes(&postcard::to_stdvec(&reason).unwrap()).unwrap();
        assert_eq!((&read, read.to_string().as_str()), (&reason, "nobody listens there"));
        assert_eq!(read.cause(), Some("Connection refused (os error 111) "));
    }
}
