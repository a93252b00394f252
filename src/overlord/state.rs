//! What one host's part of a job is at, and how it moves: rules without I/O.
//!
//! ```text
//! Planned ──about to send──▶ Sent ──accepted, or seen by the minion──▶ Acknowledged ──▶ Done
//!    │                       │ ▲ │                                        │
//!    │                       │ └─┘ sent again: the minion says it never saw it
//!    │                       └──refused, failed, unreachable at the first try, unknown too long──▶ Done
//!    └──skipped: known to be down, or left out because of what became of others──▶ Done
//! ```
//!
//! *Sent* is recorded before the first byte leaves, so after a crash it means "may have arrived": the minion is asked,
//! and only a job that it does not know is sent again, under the same id, which it would recognise if the two crossed.
//! *Acknowledged* means that the minion has it on disk; one that later does not know it has lost it. That a minion cannot
//! be asked changes nothing: it is not known yet, unless a batch waits for it and its time is over: then it is lost. Done is the
//! end: no event changes it.
//!
//! Of a job that is cancelled, what is planned ends on the spot and nothing is sent any more; what was sent is known to have
//! ended when the minion says so, which takes an id that it does not know, or when it turns out that it never got there.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    fleet::{Outcome, SkipReason},
    ids::MinionJobId,
    wire::Value,
};

/// Where a host's part of a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HostState {
    /// In the map; nothing was sent.
    Planned,
    /// It may have been sent, and may have arrived.
    Sent {
        /// Since the first time.
        since: Timestamp,
        /// Whether this is not the first time.
        again: bool,
    },
    /// The minion has it.
    Acknowledged {
        /// When that became known.
        since: Timestamp,
    },
    /// It has ended.
    Done {
        /// When that became known.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
}

/// Something that was learned about a host's part of a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// It is about to be sent.
    Sending,
    /// What became of sending it.
    Submitted(Outcome),
    /// What the minion says of it.
    Reported {
        /// Its word.
        report: Report,
        /// Whether the minion had already accepted it when it was asked. "I do not know it" says nothing about a job
        /// that got there while the question was on its way.
        was_acknowledged: bool,
    },
    /// The time that the operator allows for the whole job is over.
    GaveUp,
    /// Others wait for it, its own time is over, and its minion cannot be asked; why not.
    Overdue(String),
    /// It was tried so often again, because nothing of it could be sent.
    Retried(u32),
    /// The operator wants the job to end.
    Cancelled,
    /// It is left out, because of what became of others.
    LeftOut(SkipReason),
}

/// A minion's word on a job.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Report {
    /// It is under way.
    Running,
    /// It has ended.
    Done(Outcome),
    /// It is not known there.
    Unknown,
}

/// What the rules need to know about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    /// For how long a job that the minion does not know is sent again. Minions remember purged jobs longer than this, so
    /// "unknown" within it means "never arrived".
    pub(super) resume_window: Duration,
    /// How long after submission the last host is given up.
    pub(super) give_up_after: Duration,
    /// Whether it is to end.
    pub(super) cancelled: bool,
}

impl HostState {
    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    /// Since when, if it was sent.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Planned => None,
            Self::Sent { since: at, .. } | Self::Acknowledged { since: at } | Self::Done { at, .. } => Some(*at),
        }
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Done { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Whether the minion can be asked about it.
    pub(super) fn may_be_known(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Acknowledged { .. })
    }

    /// Whether it may be that the minion never got it.
    pub fn may_lack_its_part(&self) -> bool {
        matches!(self, Self::Planned | Self::Sent { .. })
    }

    /// The state in a word: of a minion that has the job, what the protocol calls it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Sent { .. } => "SENT",
            Self::Acknowledged { .. } => "RUNNING",
            Self::Done { outcome: Outcome::Ok(_) | Outcome::Failed(_), .. } => "FINISHED",
            Self::Done { outcome: Outcome::Lost { .. }, .. } => "LOST_IN_SPACE",
            Self::Done { outcome: Outcome::Unreachable { .. }, .. } => "UNREACHABLE",
            Self::Done { outcome: Outcome::Refused { .. }, .. } => "REFUSED",
            Self::Done { outcome: Outcome::TimedOut { .. }, .. } => "TIMED_OUT",
            Self::Done { outcome: Outcome::Cancelled, .. } => "CANCELLED",
            Self::Done { outcome: Outcome::Skipped(_), .. } => "SKIPPED",
        }
    }

    /// Whether a job that the minion does not know may be sent (again).
    pub(super) fn may_be_sent(&self, rules: &Rules, now: Timestamp) -> bool {
        match self {
            _ if rules.cancelled => false,
            Self::Planned => true,
            Self::Sent { since, .. } => !is_over(*since, rules.resume_window, now),
            Self::Acknowledged { .. } | Self::Done { .. } => false,
        }
    }
}

/// The state after an event, or nothing if the event changes nothing. `job` is the id we chose for this host.
pub(super) fn step(
    state: &HostState,
    event: &Event,
    job: Option<&MinionJobId>,
    rules: &Rules,
    now: Timestamp,
) -> Option<HostState> {
    use HostState::{Acknowledged, Done, Planned, Sent};
    let done = |outcome: Outcome| Some(Done { at: now, outcome });
    let lost = |why: &str| done(Outcome::Lost { why: why.into() });
    match (event, state) {
        (_, Done { .. })
        | (Event::Retried(_), _)
        | (Event::Overdue(_), Planned)
        | (Event::Sending | Event::Submitted(_) | Event::Cancelled | Event::LeftOut(_), Acknowledged { .. })
        | (Event::Cancelled | Event::LeftOut(_), Sent { .. }) => None,

        (Event::Cancelled, Planned) => done(Outcome::Cancelled),
        (Event::LeftOut(reason), Planned) => done(Outcome::Skipped(reason.clone())),
        (Event::Sending, _) if rules.cancelled => None,

        (Event::Sending, Planned) => Some(Sent { since: now, again: false }),
        (Event::Sending, Sent { since, .. }) => Some(Sent { since: *since, again: true }),

        (Event::Submitted(outcome), Planned | Sent { .. }) => match outcome {
            Outcome::Ok(Value::String(id)) if job.is_some_and(|job| job.as_str() == id) => {
                Some(Acknowledged { since: now })
            }
            Outcome::Ok(_) => lost(FOREIGN_ID),
            Outcome::Lost { .. } | Outcome::TimedOut { .. } => None,
            // An earlier try may have arrived, so this one's failure to get there says nothing.
            Outcome::Unreachable { .. } if matches!(state, Sent { again: true, .. }) => None,
            // It does not run there, as was wanted.
            Outcome::Failed(_) | Outcome::Refused { .. } | Outcome::Unreachable { .. } if rules.cancelled => {
                done(Outcome::Cancelled)
            }
            other => done(other.clone()),
        },

        (Event::Reported { report, was_acknowledged }, _) => match (report, state) {
            (Report::Done(outcome), _) => done(outcome.clone()),
            (Report::Running, Planned | Sent { .. }) => Some(Acknowledged { since: now }),
            (Report::Unknown, Acknowledged { .. }) if *was_acknowledged => lost(FORGOTTEN),
            (Report::Unknown, Sent { since, .. }) if is_over(*since, rules.resume_window, now) => lost(TOO_LATE),
            (Report::Running | Report::Unknown, _) => None,
        },

        (Event::Overdue(why), Sent { .. } | Acknowledged { .. }) => {
            lost(&format!("its time was over, and it could not be asked: {why}"))
        }
        (Event::GaveUp, Planned) => done(Outcome::Unreachable { why: "it was never sent there in time".into() }),
        (Event::GaveUp, Sent { .. } | Acknowledged { .. }) => {
            let days = rules.give_up_after.as_secs_f64() / 86_400.0;
            lost(&format!("no result {days:.1} days after the job was submitted; given up"))
        }
    }
}

const FOREIGN_ID: &str =
    "the minion started a job under an id of its own; it does not know ours, so it may run unwatched";
const FORGOTTEN: &str = "the minion had accepted the job and does not know it any more";
const TOO_LATE: &str = "the minion does not know the job, and it is too late to send it again";

/// Whether `time` has passed since `since`. A clock that was set back has not let it pass.
pub(super) fn is_over(since: Timestamp, time: Duration, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|passed| passed > time)
}
