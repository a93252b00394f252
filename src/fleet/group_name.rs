//! A group's name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a group, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(String);

/// Text that cannot be the name of a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be a group's name: {}", GroupName::RULE)]
pub struct InvalidGroupName;

impl GroupName {
    pub(super) const RULE: &'static str = "a group's name has 1 to 100 letters, digits, `-`, `_` and `.`";

    /// As text, without the `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidGroupName;

    fn from_str(text: &str) -> Result<Self, InvalidGroupName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fine = (1..=100).contains(&text.len()) && text.bytes().all(allowed);
        fine.then(|| Self(text.to_ascii_lowercase())).ok_or(InvalidGroupName)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
