//! What the store keeps of a schedule, and in which tables.
//!
//! | table | key | what | written |
//! | --- | --- | --- | --- |
//! | `schedules` | schedule | the call, the timetable, how late and how closely it may run | when somebody sets it |
//! | `schedule_states` | schedule | up to where instants are judged, the last run, counts | with each instant that is judged |
//! | `schedule_notes` | schedule | what came of the latest instants | with the state |

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Note, ScheduleError, Timetable};
use crate::{
    fleet::{Selector, Steps, Target},
    ids::{MethodName, OverlordJobId, ScheduleName},
    overlord::JobOptions,
    store::Table,
    wire::Value,
};

/// A call that is made again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The cron expression.
    pub cron: String,
    /// The name of its time zone.
    pub zone: String,
    /// Whom, as it was written; resolved anew for each run.
    pub target: String,
    /// Leave these out, written like the target.
    pub exclude: Option<String>,
    /// Whether a plain name that the inventory does not have is tried.
    pub allow_unknown: bool,
    /// What is called; the check of a method, if that is all that is wanted.
    pub method: MethodName,
    /// With what.
    pub arguments: Arguments,
    /// The filter, as a call's first argument.
    pub filter: Option<Value>,
    /// So many submissions are in flight at a time.
    pub forks: usize,
    /// How long each host has to accept its part.
    pub acceptance: Duration,
    /// How long the method may run on each host; the minion's own limit if `None`.
    pub job_timeout: Option<Duration>,
    /// How long after a run's beginning the hosts that still have no result are given up.
    pub give_up_after: Duration,
    /// In which steps hosts are sent their parts.
    pub steps: Steps,
    /// How late a run may begin.
    pub catch_up: Duration,
    /// What becomes of a run while the last one's job is open.
    pub overlap: Overlap,
}

/// The arguments of a call before their types are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Arguments {
    /// As somebody has typed them: each becomes what the method declares.
    Words(Vec<String>),
    /// As a program has given them: each is sent as it is.
    Values(Vec<Value>),
}

/// What becomes of a run while the job of the last one is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It runs beside it.
    Allow,
}

impl Arguments {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Words(words) => words.is_empty(),
            Self::Values(values) => values.is_empty(),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Words(words) => words.clone().into(),
            Self::Values(values) => values.iter().map(Value::to_json).collect(),
        }
    }
}

impl Schedule {
    /// When it runs.
    pub fn timetable(&self) -> Result<Timetable, ScheduleError> {
        Timetable::parse(&self.cron, &self.zone)
    }

    /// Whom it means.
    pub fn selector(&self) -> Result<Selector, ScheduleError> {
        let parse = |what, text: &str| {
            text.parse::<Target>().map_err(|error| ScheduleError::Unusable { what, why: error.to_string() })
        };
        let exclude = self.exclude.as_deref().map(|text| parse("exclusion", text)).transpose()?;
        Ok(Selector { exclude, allow_unknown: self.allow_unknown, ..Selector::new(parse("target", &self.target)?) })
    }

    /// How its job is made, over so many hosts.
    pub(super) fn job_options(&self, hosts: usize) -> JobOptions {
        JobOptions {
            forks: self.forks,
            acceptance: self.acceptance,
            timeout: self.job_timeout,
            give_up_after: self.give_up_after,
            rollout: self.steps.for_hosts(hosts),
        }
    }
}

/// Where a schedule is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Every instant up to this one has been judged.
    pub(super) judged: Timestamp,
    /// Since when it is paused.
    pub(super) paused: Option<Timestamp>,
    /// The last run: for when, and which job.
    pub(super) last: Option<(Timestamp, OverlordJobId)>,
    /// Who has set it, and when.
    pub(super) set: (String, Timestamp),
    /// So many instants ran, also by hand.
    pub(super) ran: u64,
    /// So many were missed.
    pub(super) missed: u64,
    /// So many were skipped.
    pub(super) skipped: u64,
    /// Of so many no job could be made.
    pub(super) failed: u64,
}

macro_rules! table {
    ($name:ident, $text:literal, $value:ty) => {
        pub(super) struct $name;

        impl Table for $name {
            const NAME: &'static str = $text;
            const VERSION: u8 = 1;
            type Key = ScheduleName;
            type Value = $value;
        }
    };
}

table!(Schedules, "schedules", Schedule);
table!(States, "schedule_states", State);
table!(Notes, "schedule_notes", Vec<Note>);
