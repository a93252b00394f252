//! What a job is, as its owner is told.

use std::time::Duration;

use jiff::Timestamp;

use super::record::End;
use crate::{
    ids::{MethodName, MinionJobId, OverlordJobId},
    wire::{JobStatus, RemoteError, Value},
};

/// What is known of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// The job.
    pub id: MinionJobId,
    /// The method that was called.
    pub method: MethodName,
    /// The overlord's job that it is a part of, when the overlord said so.
    pub overlord_job: Option<OverlordJobId>,
    /// When it was accepted, by the wall clock of then.
    pub accepted: Timestamp,
    /// How far it is, or what became of it.
    pub state: JobState,
}

/// A job in the list of its owner's jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The job.
    pub id: MinionJobId,
    /// The overlord's job that it is a part of, when the overlord said so.
    pub overlord_job: Option<OverlordJobId>,
    /// How far it is.
    pub status: JobStatus,
}

/// How far a job is, or what became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    /// Waiting for a worker, or with one.
    Running,
    /// The method returned.
    Finished(Value),
    /// The method failed, or could not be called.
    Failed(RemoteError),
    /// Its worker died without a word, or none could be started.
    Lost {
        /// What is known about it.
        why: String,
    },
    /// Its deadline passed.
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// Its owner ended it.
    Cancelled,
}

impl JobState {
    /// Whether there is nothing to wait for.
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Running)
    }

    /// The status and the result, as `jobs.job_status` answers them.
    pub fn answer(&self) -> (JobStatus, Value) {
        let error = |kind: &str, message: &str| RemoteError::new(kind, message).to_value();
        match self {
            Self::Running => (JobStatus::Running, Value::Int(-1)),
            Self::Finished(value) => (JobStatus::Finished, value.clone()),
            Self::Failed(failure) => (JobStatus::Finished, failure.to_value()),
            Self::Lost { why } => (JobStatus::Lost, error("Lost", why)),
            Self::TimedOut { after } => {
                let message = format!("the job did not end within its deadline of {after:?}");
                (JobStatus::Finished, RemoteError::timed_out(message, *after).to_value())
            }
            Self::Cancelled => (JobStatus::Finished, error("Cancelled", "the job was cancelled")),
        }
    }
}

impl From<End> for JobState {
    fn from(end: End) -> Self {
        match end {
            End::Finished(value) => Self::Finished(value),
            End::Failed(failure) => Self::Failed(failure),
            End::TimedOut { after } => Self::TimedOut { after },
            End::Lost { why } => Self::Lost { why },
            End::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_the_protocol() {
        let kind = |state: JobState| {
            let (status, value) = state.answer();
            (status.code(), RemoteError::from_value(&value).map(|error| error.kind))
        };
        assert_eq!(JobState::Running.answer(), (JobStatus::Running, Value::Int(-1)));
        assert_eq!(JobState::Finished(Value::Nil).answer(), (JobStatus::Finished, Value::Nil));
        assert_eq!(kind(JobState::Failed(RemoteError::new("Trap", "x"))), (1, Some("Trap".to_owned())));
        assert_eq!(kind(JobState::Lost { why: String::new() }), (2, Some("Lost".to_owned())));
        assert_eq!(kind(JobState::TimedOut { after: Duration::ZERO }), (1, Some("TimedOut".to_owned())));
        assert_eq!(kind(JobState::Cancelled), (1, Some("Cancelled".to_owned())));
    }
}
