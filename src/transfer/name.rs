//! What a path below `/blobs/` names.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use super::PATH;
use crate::ids::Digest;

/// Bytes by their digest, or a file that was offered, by a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// What it is.
    Digest(Digest),
    /// Which offer it is.
    Offer(Uuid),
}

/// A text that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes are named `sha256:` and 64 hexadecimal digits, or `offer:` and a number that was told")]
pub struct InvalidName;

impl Name {
    /// A number that nobody else has.
    pub fn fresh() -> Self {
        Self::Offer(Uuid::now_v7())
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("{PATH}{self}")
    }

    /// The name that a path holds.
    pub fn in_path(path: &str) -> Option<Self> {
        path.strip_prefix(PATH)?.parse().ok()
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once(':') {
            Some(("sha256", digits)) => digits.parse().map(Self::Digest).map_err(|_| InvalidName),
            // The one form that is written.
            Some(("offer", digits)) if digits.len() == 32 => {
                Uuid::try_parse(digits).map(Self::Offer).map_err(|_| InvalidName)
            }
            _ => Err(InvalidName),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
            Self::Offer(number) => write!(f, "offer:{}", number.simple()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_path() {
        for name in [Name::Digest(Digest::of(b"")), Name::fresh()] {
            assert_eq!(Name::in_path(&name.path()), Some(name));
        }
        for text in ["", "/", "/blobs/", "/blobs/offer:", "/blobs/offer:x", "/blobs/sha256:00", "/blobs/other:1"] {
            assert_eq!(Name::in_path(text), None, "{text}");
        }
    }
}
