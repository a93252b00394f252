//! How a command that could not do its work says so.

use std::error::Error;
use std::fmt;
use std::io::Write;

use super::exit::Exit;
use super::render::visible;

/// An error with the exit code that its kind deserves, and what to do next.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
}

impl Failure {
    /// A failure of the given kind.
    pub(super) fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into(), hint: None }
    }

    /// The same, with what to do next: an imperative sentence without a full stop.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Writes the error, its causes and the hint for people. A cause that its effect's text already
    /// ends with is not repeated.
    pub(super) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut shown = self.error.to_string();
        write!(out, "error: {shown}")?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !shown.ends_with(&text) {
                write!(out, ": {text}")?;
            }
            shown = text;
            cause = error.source();
        }
        writeln!(out)?;
        match &self.hint {
            Some(hint) => writeln!(out, "hint: {hint}"),
            None => Ok(()),
        }
    }

    /// What is printed on standard error, for people or for programs.
    pub(super) fn to_text(&self, json: bool) -> String {
        if json {
            return format!("{}\n", self.to_json());
        }
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = self.write(&mut text);
        let text = String::from_utf8_lossy(&text);
        // A minion's words may be among them.
        text.lines().flat_map(|line| [visible(line), "\n".to_owned()]).collect()
    }

    /// The same as one JSON object.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let mut causes = Vec::new();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        serde_json::json!({
            "error": self.error.to_string(), "causes": causes, "hint": self.hint, "exit": self.exit as u8,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Gives an error its exit code: `open().or_exit(Exit::Configuration)?`.
pub(super) trait OrExit<T> {
    /// Turns the error into a [`Failure`] of this kind.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_minion_s_words_in_an_error_do_not_drive_the_terminal() {
        let failure = Failure::new(Exit::SomeFailed, "`web1`: failed: \u{1b}[2J\nmore");
        assert_eq!(failure.to_text(false), "error: `web1`: failed: \\u{1b}[2J\nmore\n");
    }

    #[test]
    fn the_cause_and_the_hint_are_shown_once() {
        let failure = Failure::new(Exit::Internal, Outer(std::io::Error::other("the disk is full"))).hint("make room");
        let mut text = Vec::new();
        failure.write(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "error: cannot open the store: the disk is full\nhint: make room\n"
        );
    }
}
