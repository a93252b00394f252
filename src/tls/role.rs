//! What a certificate is for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The role that a certificate was issued for. It decides who may call whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Calls minions.
    Overlord,
    /// Calls minions on behalf of an overlord, and is called by it.
    SubOverlord,
    /// Is called.
    Minion,
    /// Reads results, calls nothing that changes anything.
    Reader,
    /// Signs modules.
    Author,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Overlord, Self::SubOverlord, Self::Minion, Self::Reader, Self::Author];

    /// The word for it, as on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overlord => "overlord",
            Self::SubOverlord => "sub-overlord",
            Self::Minion => "minion",
            Self::Reader => "reader",
            Self::Author => "author",
        }
    }

    /// The alternative name that carries the role in a certificate.
    pub fn uri(self) -> String {
        format!("{URI}{}", self.word())
    }

    /// The role of an alternative name, if it is one.
    pub(super) fn from_uri(uri: &str) -> Option<Self> {
        uri.strip_prefix(URI)?.parse().ok()
    }
}

const URI: &str = "func:role:";

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such role; the roles are overlord, sub-overlord, minion, reader and author")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_comes_back_from_its_uri() {
        for role in Role::ALL {
            assert_eq!(Role::from_uri(&role.uri()), Some(role));
        }
        assert_eq!(Role::from_uri("func:role:admin"), None);
        assert_eq!(Role::from_uri("overlord"), None);
    }
}
