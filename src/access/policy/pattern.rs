//! Shell globs over names.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` cannot be used: {why}")]
pub struct InvalidPattern {
    pub(super) pattern: String,
    pub(super) why: String,
}

impl InvalidPattern {
    pub(super) fn new(pattern: &str, why: impl Into<String>) -> Self {
        Self { pattern: pattern.chars().take(200).collect(), why: why.into() }
    }
}

/// A glob with its text: `*`, `?` and `[…]`, of which none stops anywhere.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    glob: GlobMatcher,
}

impl Pattern {
    /// Reads a pattern. Braces stand for themselves.
    pub(super) fn new(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::new(text, "it is empty"));
        }
        let escaped: String =
            text.chars().flat_map(|c| if "{}\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
        let glob = GlobBuilder::new(&escaped).literal_separator(false).backslash_escape(true).build();
        let glob = glob.map_err(|error| InvalidPattern::new(text, error.kind().to_string()))?.compile_matcher();
        Ok(Self { text: text.to_owned(), glob })
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        self.text == "*" || self.text == name || self.glob.is_match(name)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Patterns one after the other, for people.
pub(super) fn listed<T: fmt::Display>(patterns: &[T]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_those_of_a_shell_and_braces_are_not() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).unwrap().fits(name);
        assert!(fits("disk.*", "disk.usage") && fits("*disk.*", "acme:disk/disk.usage") && fits("web[!1]", "web2"));
        assert!(!fits("disk.*", "disks.usage") && !fits("{a,b}", "a") && fits("{a,b}", "{a,b}"));
        assert!(Pattern::new("").is_err() && Pattern::new("[a").is_err());
    }
}
