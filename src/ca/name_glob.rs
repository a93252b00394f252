//! Names that a token or a rule is for.

use std::{fmt, str::FromStr};

use globset::{GlobBuilder, GlobMatcher};

use serde::{Deserialize, Serialize};

use crate::ids::HostName;

/// A shell glob over host names: `web*`, `db[1-9].example`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameGlob {
    text: String,
    matcher: GlobMatcher,
}

/// Text that is no glob.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a glob over host names; write it like `web1` or `web*.example`")]
pub struct InvalidGlob(String);

impl NameGlob {
    /// Whether it is for this name.
    pub fn matches(&self, name: &HostName) -> bool {
        self.matcher.is_match(name.as_str())
    }
}

impl FromStr for NameGlob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        let refuse = || InvalidGlob(text.chars().take(80).flat_map(char::escape_debug).collect());
        let lower = text.to_ascii_lowercase();
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-.*?[]!{},".contains(&b);
        if lower.is_empty() || lower.len() > 253 || !lower.bytes().all(known) {
            return Err(refuse());
        }
        let glob = GlobBuilder::new(&lower).literal_separator(false).backslash_escape(false).build();
        Ok(Self { matcher: glob.map_err(|_| refuse())?.compile_matcher(), text: lower })
    }
}

impl fmt::Display for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl From<NameGlob> for String {
    fn from(glob: NameGlob) -> Self {
        glob.text
    }
}

impl TryFrom<String> for NameGlob {
    type Error = InvalidGlob;

    fn try_from(text: String) -> Result<Self, InvalidGlob> {
        text.parse()
    }
}
