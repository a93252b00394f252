//! What a command answers: data, rendered in one place as text for people or as JSON for programs.

use std::io::{self, Write};

use super::exit::Exit;
use super::shape::Shape;

/// The answer of a command.
pub(super) trait Report {
    /// For people.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;

    /// The same with the answers of hosts in another form, where there are any.
    fn shaped(&self, _: &Shape, out: &mut dyn Write) -> io::Result<()> {
        self.text(out)
    }

    /// For programs.
    fn json(&self) -> serde_json::Value;

    /// The exit code: all well, unless the report knows better.
    fn exit(&self) -> Exit {
        Exit::Ok
    }
}

/// A command that has shown all there was to show while it ran.
pub(super) struct Silent(pub(super) Exit);

impl Report for Silent {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn exit(&self) -> Exit {
        self.0
    }
}

/// A few lines of text and the same as data.
pub(super) struct Lines {
    /// For people, each without its line end.
    pub(super) lines: Vec<String>,
    /// For programs.
    pub(super) data: serde_json::Value,
}

impl Report for Lines {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn json(&self) -> serde_json::Value {
        self.data.clone()
    }
}
