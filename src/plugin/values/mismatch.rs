//! A value that does not fit its type, with the path to the place.

use std::fmt::{self, Write as _};

/// A value that does not fit its type.
///
/// The path is built from the inside out, and only when something is wrong: the way of a value that
/// fits costs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    path: Vec<Step>,
    what: String,
    over_limit: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl Mismatch {
    /// `what` completes the sentence that begins with the path: "wanted u8, got string".
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), what: what.into(), over_limit: false }
    }

    /// The value fits its type, and is more than can be sent.
    pub(super) fn over_limit(what: impl Into<String>) -> Self {
        Self { over_limit: true, ..Self::new(what) }
    }

    /// Whether the value is only too large.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.over_limit
    }

    /// The value has a kind that the type cannot be made from.
    pub(super) fn wanted(wanted: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::new(format!("wanted {wanted}, got {got}"))
    }

    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.path.push(Step::Field(super::wire_name(name)));
        self
    }

    pub(super) fn in_key(mut self, key: &str) -> Self {
        self.path.push(Step::Field(key.escape_debug().take(60).collect()));
        self
    }

    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.path.push(Step::Index(index));
        self
    }

    /// What is wrong.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The place inside the argument or result called `root`.
    pub(crate) fn place(&self, root: &str) -> String {
        let mut text = root.to_owned();
        for step in self.path.iter().rev() {
            match step {
                Step::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::Index(index) => {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "[{index}]");
                }
            }
        }
        text
    }
}
