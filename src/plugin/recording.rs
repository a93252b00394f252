//! What a call asked of its host, and what it heard: written down, to be played back.
//!
//! A recording is text that people edit: one `[[call]]` for each call of a host function, in order, with its
//! name, its arguments, and its answer or its error. Played back, each call is answered by the first recorded
//! one of the same name and arguments that has not been used yet; nothing of the machine is touched. The
//! clocks are calls like any other, also those of WASI; random numbers come from the seed.

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::host::{Error, ErrorKind};

/// What one call asked of its host, and what it heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// The bytes of which WASI's random numbers are made, again and again.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seed: String,
    /// The calls of host functions, in order.
    #[serde(rename = "call")]
    pub calls: Vec<RecordedCall>,
}

/// One call of a host function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCall {
    /// The function: `files.read`.
    pub name: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub args: Table,
    /// What it answered; nothing stands for nil and for no answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// The error that it answered instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordedError>,
}

/// An error of a host function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedError {
    /// Its kind, as WIT writes it: `not-found`.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A failure that did not happen when the call was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The function: `files.read`.
    pub call: String,
    /// Which of the calls of it, counted from 1.
    #[serde(default = "first")]
    pub nth: u64,
    /// What it answers.
    pub error: RecordedError,
}

fn first() -> u64 {
    1
}

/// A recording to play back, and what goes wrong meanwhile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// What is played back.
    pub recording: Recording,
    /// What fails in its place.
    pub injections: Vec<Injection>,
}

/// How a recording fitted the call for which it was played back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// Calls of the module's that the recording does not have.
    pub unrecorded: Vec<RecordedCall>,
    /// Calls of the recording that the module did not make.
    pub unused: Vec<RecordedCall>,
    /// Recorded answers that are not of the function's type: which, and why not.
    pub misfits: Vec<String>,
    /// Injections whose call was not made.
    pub not_injected: Vec<Injection>,
}

impl Replayed {
    /// Whether the module asked nothing that could not be answered.
    pub fn is_complete(&self) -> bool {
        self.unrecorded.is_empty() && self.misfits.is_empty() && self.not_injected.is_empty()
    }
}

impl std::fmt::Display for RecordedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let args: Vec<String> = self.args.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let args = args.join(", ");
        let shown: String = args.chars().take(300).collect();
        let more = if shown.len() < args.len() { "…" } else { "" };
        write!(f, "{}({shown}{more})", self.name)
    }
}

impl From<&Error> for RecordedError {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind.name().to_owned(), message: error.message.clone(), hint: error.hint.clone() }
    }
}

impl RecordedError {
    /// The error for the module. A kind that there is not is the plainest one.
    pub(super) fn to_error(&self) -> Error {
        let kind = Value::String(self.kind.clone());
        let kind = super::data::read(Some(&kind)).unwrap_or(ErrorKind::Failed);
        Error { kind, message: self.message.clone(), hint: self.hint.clone() }
    }
}
