//! What became of a call on one host.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Reason;
use crate::wire::{Answer, RemoteError, Value};

/// The end of a call on one host. Every host that was asked has exactly one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The method's result.
    Ok(Value),
    /// The method was not found, did not like its arguments, or failed.
    Failed(RemoteError),
    /// Not a byte of the request got there; nothing ran.
    Unreachable {
        /// Why not.
        why: Reason,
    },
    /// The minion would not take the call; nothing ran.
    Refused {
        /// What it said.
        why: Reason,
    },
    /// There was no result in time. The call may have run, or may be running still.
    TimedOut {
        /// How long it was given.
        after: Duration,
    },
    /// The request was sent and no usable answer came; it may have run.
    Lost {
        /// What broke.
        why: Reason,
    },
    /// Cancelled before it had a result.
    Cancelled,
    /// Never asked, on purpose.
    Skipped(SkipReason),
}

/// Why a host was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It is listed as known to be down.
    Down,
    /// So many others had failed that the rest was left alone.
    MaxFail,
    /// One of the hosts that were to go first had failed.
    Canary,
    /// It says itself that it is not one of those that were meant.
    Filter,
    /// The same, with the facts that decide and what they are there.
    Facts(String),
}

impl SkipReason {
    /// The reason in words.
    pub fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Down => "known to be down".into(),
            Self::MaxFail => "too many hosts had failed".into(),
            Self::Canary => "a host that went first had failed".into(),
            Self::Filter => "its facts do not meet the filter".into(),
            Self::Facts(facts) => format!("its facts do not meet the filter: {facts}").into(),
        }
    }

    /// Whether the host said so itself, and was reached for that.
    pub fn is_its_own_word(&self) -> bool {
        matches!(self, Self::Filter | Self::Facts(_))
    }
}

impl Outcome {
    /// Every name of an outcome.
    pub const NAMES: [&str; 8] =
        ["ok", "failed", "unreachable", "refused", "timed out", "lost", "cancelled", "skipped"];

    /// The outcome's one-word name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Failed(_) => "failed",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::TimedOut { .. } => "timed out",
            Self::Lost { .. } => "lost",
            Self::Cancelled => "cancelled",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Whether the method ran and succeeded.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// The method's result, if it succeeded.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Ok(value) => Some(value),
            _ => None,
        }
    }

    /// What an answer means to a call that was given so long. A list that begins with `REMOTE_ERROR` is a failure, a fault
    /// is a refusal.
    pub fn of_answer(answer: Answer, given: Duration) -> Self {
        match answer {
            Answer::Fault(fault) => Self::Refused { why: fault.message.into() },
            Answer::Value(value) => match RemoteError::from_value(&value) {
                Some(error) => Self::of_error(error, Some(given)),
                None => Self::Ok(value),
            },
        }
    }

    /// What a method's failure means. The minion says which deadline it was, for its own limit may be shorter than what the
    /// call was `given`; a deadline that nobody knows is a failure like others.
    pub fn of_error(error: RemoteError, given: Option<Duration>) -> Self {
        match error.deadline().or(given.filter(|_| error.is_deadline())) {
            Some(after) => Self::TimedOut { after },
            None => Self::Failed(error),
        }
    }

    /// What went wrong, for people; nothing for a success.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Ok(_) => None,
            Self::Failed(error) => Some(error.to_string()),
            Self::Unreachable { why } | Self::Refused { why } | Self::Lost { why } => Some(why.to_string()),
            Self::TimedOut { after } => Some(format!("no result within {}", seconds(*after))),
            Self::Cancelled => Some("cancelled".into()),
            Self::Skipped(reason) => Some(reason.text().into()),
        }
    }

    /// What caused it, in the words of whatever failed.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Unreachable { why } | Self::Refused { why } | Self::Lost { why } => why.cause(),
            _ => None,
        }
    }

    /// The outcome for programs: `outcome` is its name; `value`, `error` or `why` say the rest, `cause` more.
    pub fn to_json(&self) -> serde_json::Value {
        let name = self.name();
        match self {
            Self::Ok(value) => serde_json::json!({ "outcome": name, "value": value.to_json() }),
            Self::Failed(error) => serde_json::json!({
                "outcome": name,
                "error": { "type": error.kind, "message": error.message, "trace": error.trace },
            }),
            Self::Cancelled => serde_json::json!({ "outcome": name }),
            other => {
                let mut data = serde_json::json!({ "outcome": name, "why": other.why() });
                if let Some(cause) = other.cause() {
                    data["cause"] = cause.into();
                }
                data
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            Some(why) if !matches!(self, Self::Cancelled) => write!(f, "{}: {why}", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

/// A time for people: seconds with at most one digit behind the point.
pub(super) fn seconds(time: Duration) -> String {
    let text = format!("{:.1}", time.as_secs_f64());
    format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Fault;

    #[test]
    fn answers_become_outcomes() {
        let read = |answer| Outcome::of_answer(answer, Duration::from_secs(9));
        let error = RemoteError::new("UnknownMethod", "no `test.nope` here");
        assert_eq!(read(Answer::Value(error.to_value())), Outcome::Failed(error));
        assert_eq!(read(Answer::Value(3.into())), Outcome::Ok(3.into()));
        assert_eq!(read(Answer::Fault(Fault::refused("not you"))).to_string(), "refused: not you");
    }

    #[test]
    fn a_call_that_its_minion_ended_timed_out_after_the_limit_that_ended_it() {
        let read = |error: RemoteError| Outcome::of_answer(Answer::Value(error.to_value()), Duration::from_secs(9));
        let own = Duration::from_secs(2);
        assert_eq!(read(RemoteError::timed_out("x", own)), Outcome::TimedOut { after: own });
        let silent = RemoteError::new("TimedOut", "x");
        assert_eq!(read(silent.clone()), Outcome::TimedOut { after: Duration::from_secs(9) });
        assert_eq!(Outcome::of_error(silent.clone(), None), Outcome::Failed(silent), "no deadline is known");
    }

    #[test]
    fn every_outcome_survives_the_store_and_reads_well() {
        for (outcome, text) in [
            (Outcome::Ok(Value::Nil), "ok"),
            (Outcome::Failed(RemoteError::new("E", "x")), "failed: E: x"),
            (Outcome::Unreachable { why: "x".into() }, "unreachable: x"),
            (Outcome::Refused { why: "x".into() }, "refused: x"),
            (Outcome::TimedOut { after: Duration::from_millis(1500) }, "timed out: no result within 1.5 s"),
            (Outcome::TimedOut { after: Duration::from_secs(9) }, "timed out: no result within 9 s"),
            (Outcome::TimedOut { after: Duration::from_micros(1_999_900) }, "timed out: no result within 2 s"),
            (Outcome::Lost { why: "x".into() }, "lost: x"),
            (Outcome::Cancelled, "cancelled"),
            (Outcome::Skipped(SkipReason::Down), "skipped: known to be down"),
            (
                Outcome::Skipped(SkipReason::Facts("cpus is 4".into())),
                "skipped: its facts do not meet the filter: cpus is 4",
            ),
        ] {
            let bytes = postcard::to_stdvec(&outcome).unwrap();
            assert_eq!(postcard::from_bytes::<Outcome>(&bytes).unwrap(), outcome);
            assert_eq!(outcome.to_string(), text);
            assert_eq!(outcome.to_json()["outcome"], outcome.name());
        }
    }
}
