//! The expression that chooses hosts.
//!
//! A `;`-separated list of shell globs (`*`, `?`, `[…]`, `[!…]`), compared without regard to case. Spaces around a part
//! and empty parts are ignored.

use std::{fmt, str::FromStr};

use globset::{GlobBuilder, GlobMatcher};

use crate::ids::HostName;

/// A parsed target: `web*;db[12].example`.
#[derive(Debug, Clone)]
pub struct Target {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) text: String,
    glob: GlobMatcher,
}

/// Why text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// There is no part in it.
    #[error("the target is empty; write `*` for all hosts")]
    Empty,
    /// A part is not a glob.
    #[error("`{part}` is not a host name or a glob: {why}")]
    Glob {
        /// The part.
        part: String,
        /// What is wrong with it.
        why: String,
    },
    /// A part names a group, and there are none yet.
    #[error("`{part}` names a group, and no groups are defined; name the hosts, or use a glob")]
    Group {
        /// The part.
        part: String,
    },
}

impl Target {
    /// The text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a host is chosen.
    pub fn matches(&self, host: &HostName) -> bool {
        self.parts.iter().any(|part| part.matches(host))
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Part {
    pub(super) fn matches(&self, host: &HostName) -> bool {
        self.glob.is_match(host.as_str())
    }

    /// The host that the part names, if it is a name and not a glob.
    pub(super) fn plain(&self) -> Option<HostName> {
        self.text.parse().ok()
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let parts: Vec<Part> = parts.map(parse_part).collect::<Result<_, _>>()?;
        if parts.is_empty() {
            return Err(InvalidTarget::Empty);
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

fn parse_part(part: &str) -> Result<Part, InvalidTarget> {
    let shown = || part.chars().take(80).flat_map(char::escape_debug).collect::<String>();
    if part.starts_with('@') {
        return Err(InvalidTarget::Group { part: shown() });
    }
    if !part.chars().all(|c| c.is_ascii_alphanumeric() || "-.*?[]!".contains(c)) {
        let why = "host names have letters, digits, `-` and `.`; globs also `*`, `?` and `[…]`".to_owned();
        return Err(InvalidTarget::Glob { part: shown(), why });
    }
    let lower = part.to_ascii_lowercase();
    let glob = GlobBuilder::new(&lower).literal_separator(false).backslash_escape(false).build();
    let glob = glob.map_err(|error| InvalidTarget::Glob { part: shown(), why: error.kind().to_string() })?;
    Ok(Part { text: lower, glob: glob.compile_matcher() })
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(target: &str, host: &str) -> bool {
        target.parse::<Target>().unwrap().matches(&host.parse().unwrap())
    }

    #[test]
    fn globs_choose_hosts_without_regard_to_case() {
        for (target, host, expected) in [
            ("*", "a.b.c", true),
            ("web*", "web1.example", true),
            ("web*", "db.web1", false),
            ("WEB?", "web1", true),
            ("web?", "web10", false),
            ("web[12]", "web2", true),
            ("web[!12]", "web2", false),
            ("web[1-3]", "web3", true),
            (" db ; web1;", "Web1", true),
            ("web1", "web1.example", false),
            ("*.example;db", "db", true),
        ] {
            assert_eq!(matches(target, host), expected, "{target} {host}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("", "empty"),
            (" ; ", "empty"),
            ("@web", "no groups"),
            ("@web:db*", "no groups"),
            ("web[1", "not a host name or a glob"),
            ("a b", "not a host name or a glob"),
            ("{a,b}", "not a host name or a glob"),
            ("a\u{1b}[31m", "\\u{1b}"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            let _ = text.parse::<Target>();
        }

        #[test]
        fn a_host_is_chosen_by_its_own_name_and_by_its_beginning(host in "[a-z][a-z0-9]{0,8}(\\.[a-z0-9]{1,5}){0,2}") {
            prop_assert!(matches(&host, &host));
            let beginning = format!("nothing;{}*", &host[..1]);
            prop_assert!(matches(&beginning, &host));
            let unlike = format!("x{host}");
            prop_assert!(!matches(&unlike, &host));
        }
    }
}
