//! Results with a meaning of their own: a method's failure and a job's status.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Value;

/// The first element of the list that stands for a failed method.
const MARK: &str = "REMOTE_ERROR";

/// The kind of a failure that is a deadline, and what its trace begins with; milliseconds follow.
const TIMED_OUT: &str = "TimedOut";
const DEADLINE: &str = "deadline in ms: ";

/// How many bytes of a kind, of a message, and of message and trace together pass [`RemoteError::bounded`].
const KIND_MAX: usize = 200;
const MESSAGE_MAX: usize = 16 << 10;
const ERROR_MAX: usize = 64 << 10;

/// At most so many bytes of a text, which says how many there were if some are missing.
fn cut(mut text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let note = format!("… (cut: {} bytes)", text.len());
    text.truncate(text.floor_char_boundary(most - note.len()));
    text + &note
}

/// A method that failed: `["REMOTE_ERROR", type, message, traceback]`, sent as a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct RemoteError {
    /// What kind of error: `UnknownMethod`, `InvalidArguments`, a module's own word.
    pub kind: String,
    /// What went wrong, in a sentence.
    pub message: String,
    /// Where, as the method's language tells it; often empty.
    pub trace: String,
}

impl RemoteError {
    /// An error without a trace.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), trace: String::new() }
    }

    /// The same, cut so that it is always small: it is written into answers, journals, logs and reports
    /// that hold many of its like.
    #[must_use]
    pub fn bounded(self) -> Self {
        let message = cut(self.message, MESSAGE_MAX);
        let trace = cut(self.trace, ERROR_MAX - message.len());
        Self { kind: cut(self.kind, KIND_MAX), message, trace }
    }

    /// A deadline that passed. Which one it was travels as the trace, for programs.
    pub fn timed_out(message: impl Into<String>, after: Duration) -> Self {
        let trace = format!("{DEADLINE}{}", after.as_millis());
        Self { kind: TIMED_OUT.into(), message: message.into(), trace }
    }

    /// The deadline that passed, if [`timed_out`](Self::timed_out) made this.
    pub fn deadline(&self) -> Option<Duration> {
        let millis = self.trace.strip_prefix(DEADLINE).filter(|_| self.is_deadline())?;
        millis.parse().ok().map(Duration::from_millis)
    }

    /// Whether it is a deadline that passed, known or not.
    pub fn is_deadline(&self) -> bool {
        self.kind == TIMED_OUT
    }

    /// The list that travels.
    pub fn to_value(&self) -> Value {
        let parts = [MARK, &self.kind, &self.message, &self.trace];
        Value::Array(parts.into_iter().map(Value::from).collect())
    }

    /// Reads the list, if it is one. Minions of other makes may leave parts out or send other kinds
    /// of value in them, which are shown as JSON.
    pub fn from_value(value: &Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        if parts.first()?.as_str()? != MARK || parts.len() > 4 {
            return None;
        }
        let part = |index: usize| match parts.get(index) {
            None | Some(Value::Nil) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_json().to_string(),
        };
        Some(Self { kind: part(1), message: part(2), trace: part(3) })
    }
}

impl From<RemoteError> for Value {
    fn from(error: RemoteError) -> Self {
        error.to_value()
    }
}

/// The status of a job, with the numbers that travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobStatus {
    /// Under way; of an overlord's job: being submitted.
    Running = 0,
    /// Ended, with a result.
    Finished = 1,
    /// Not known, or ended without a result.
    Lost = 2,
    /// Submitted to every host, some have not answered yet.
    Partial = 3,
    /// Ended by an error of the machinery, not of the method.
    RemoteError = 4,
}

impl JobStatus {
    const ALL: [Self; 5] = [Self::Running, Self::Finished, Self::Lost, Self::Partial, Self::RemoteError];

    /// The number that travels.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// The status of a number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The word that people see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Lost => "LOST_IN_SPACE",
            Self::Partial => "PARTIAL",
            Self::RemoteError => "REMOTE_ERROR",
        }
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_error_survives_the_journey() {
        let error = RemoteError { kind: "Trap".into(), message: "unreachable".into(), trace: "at lib.rs:3".into() };
        assert_eq!(RemoteError::from_value(&error.to_value()), Some(error));
    }

    #[test]
    fn other_makes_of_error_list_are_understood_and_other_lists_left_alone() {
        let short = Value::Array(vec![MARK.into(), "ValueError".into()]);
        assert_eq!(RemoteError::from_value(&short), Some(RemoteError::new("ValueError", "")));
        let numbers = Value::Array(vec![MARK.into(), 3.into(), Value::Nil]);
        assert_eq!(RemoteError::from_value(&numbers), Some(RemoteError::new("3", "")));
        for value in [Value::Nil, Value::Array(vec![]), Value::Array(vec!["x".into()]), MARK.into()] {
            assert_eq!(RemoteError::from_value(&value), None);
        }
    }

    #[test]
    fn an_error_has_a_size_that_it_never_passes() {
        let long = "\u{e9}".repeat(5 << 20);
        let large = RemoteError { kind: long.clone(), message: long.clone(), trace: long.clone() }.bounded();
        assert!(large.kind.len() <= KIND_MAX && large.message.len() + large.trace.len() <= ERROR_MAX);
        assert!(large.message.starts_with("éé") && large.message.ends_with("(cut: 10485760 bytes)"));
        assert!(large.message.len() > MESSAGE_MAX - 10 && large.trace.len() > ERROR_MAX - MESSAGE_MAX - 10);
        let small = RemoteError { kind: "Trap".into(), message: "x".repeat(MESSAGE_MAX), trace: "at".into() };
        assert_eq!(small.clone().bounded(), small);
    }

    #[test]
    fn codes_are_those_of_the_protocol() {
        for (code, status) in (0..).zip(JobStatus::ALL) {
            assert_eq!(status.code(), code);
            assert_eq!(JobStatus::from_code(code), Some(status));
        }
        assert_eq!(JobStatus::from_code(5), None);
        assert_eq!(JobStatus::Lost.to_string(), "LOST_IN_SPACE");
    }
}
