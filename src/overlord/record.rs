//! What the overlord keeps of a job, and in which tables.
//!
//! | table | key | what | written |
//! | --- | --- | --- | --- |
//! | `jobs` | job | the call itself | once, with the map |
//! | `plans` | job | how it is handed out, and what it is another try of | once, with the map |
//! | `orders` | job | the order of its hosts, if some wait for others | once, with the map |
//! | `stages` | job | where such a hand-out is | with the map, then at each step, with the hosts that it leaves out |
//! | `map` | job, host | the minion's job id and address | once, before anything is sent |
//! | `states` | job, host | where the host's part is, at last its outcome | at each step; no row means planned |
//! | `attempts` | job, host | how often its part was sent | when that is not once |
//! | `cancels` | job | when it was cancelled | once, with the ends of all that were planned |
//! | `submitters` | job | who made it | once, with the map |
//! | `sizes` | job | how large its results are | when it has ended |
//! | `progress` | job | how many hosts are open, counts of outcomes | with the states |
//!
//! The map and the results are different tables, so no result can overwrite the ids by which the others are asked for.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    fan_out::ACCEPTANCE,
    state::{HostState, Rules},
};
use crate::{
    ca::Address,
    fleet::{Rollout, Stage, Summary},
    ids::{HostName, MethodName, MinionJobId, OverlordJobId},
    store::Table,
    wire::{JobStatus, Value},
};

/// The call that a job is, as it was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The target, as it was written.
    pub target: String,
    /// The method.
    pub method: MethodName,
    /// Its arguments. What is secret of them is not written: whoever hands the job out has it in memory.
    pub args: Vec<Value>,
    /// When the map was made.
    pub submitted: Timestamp,
    /// How long the method may run on each host, counted from its acceptance; the minion's own limit if `None`.
    pub timeout: Option<Duration>,
    /// How many submissions are in flight at a time.
    pub forks: usize,
    /// How many hosts the map has.
    pub hosts: usize,
    pub(super) resume_window: Duration,
    pub(super) give_up_after: Duration,
}

impl JobRecord {
    /// What the rules of its hosts need to know.
    pub(super) fn rules(&self, cancelled: bool) -> Rules {
        Rules { resume_window: self.resume_window, give_up_after: self.give_up_after, cancelled }
    }

    /// Whether the operator's patience with this job is over.
    pub(super) fn is_given_up(&self, now: Timestamp) -> bool {
        super::state::is_over(self.submitted, self.give_up_after, now)
    }
}

/// How a job is handed out, as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPlan {
    /// How long each host has to accept its part.
    pub acceptance: Duration,
    /// In which steps hosts are sent their parts.
    pub rollout: Rollout,
    /// The job of which it is another try.
    pub retry_of: Option<OverlordJobId>,
}

impl Default for JobPlan {
    /// That of a job from before there were plans.
    fn default() -> Self {
        Self { acceptance: ACCEPTANCE, rollout: Rollout::default(), retry_of: None }
    }
}

/// One host's row of the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mapped {
    /// Where it was when the job was submitted.
    pub(super) address: Address,
    /// The id we chose; hosts that were skipped have none.
    pub(super) job: Option<MinionJobId>,
}

/// How far a job is, without its hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Hosts that have not ended.
    pub open: usize,
    /// When the fan-out was done.
    pub fanned_out: Option<Timestamp>,
    /// When the last host ended.
    pub ended: Option<Timestamp>,
    /// How the others ended.
    pub summary: Summary,
}

impl Progress {
    /// The job's status: running while it is handed out, partial while minions work, finished when every result is here.
    pub fn status(&self) -> JobStatus {
        match (self.open, self.fanned_out) {
            (0, _) => JobStatus::Finished,
            (_, None) => JobStatus::Running,
            (_, Some(_)) => JobStatus::Partial,
        }
    }

    /// For programs: how many ended how, how many have not, and their sum, which is every host of the job at all times.
    pub fn to_json(&self) -> serde_json::Value {
        let mut data = self.summary.to_json();
        data["open"] = self.open.into();
        data["total"] = (self.summary.total() + self.open).into();
        data
    }
}

macro_rules! table {
    ($name:ident, $text:literal, $key:ty, $value:ty) => {
        pub(super) struct $name;

        impl Table for $name {
            const NAME: &'static str = $text;
            const VERSION: u8 = 1;
            type Key = $key;
            type Value = $value;
        }
    };
}

table!(Jobs, "jobs", OverlordJobId, JobRecord);
table!(Submitters, "submitters", OverlordJobId, String);
table!(Sizes, "sizes", OverlordJobId, u64);
table!(Plans, "plans", OverlordJobId, JobPlan);
table!(Orders, "orders", OverlordJobId, Vec<HostName>);
table!(Stages, "stages", OverlordJobId, Stage);
table!(Map, "map", (OverlordJobId, HostName), Mapped);
table!(States, "states", (OverlordJobId, HostName), HostState);
table!(Attempts, "attempts", (OverlordJobId, HostName), u32);
table!(Cancels, "cancels", OverlordJobId, Timestamp);
table!(ProgressRows, "progress", OverlordJobId, Progress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_the_fan_out_and_the_open_hosts() {
        let progress = |open, fanned_out: bool| Progress {
            open,
            fanned_out: fanned_out.then(Timestamp::now),
            ..Progress::default()
        };
        for (open, fanned_out, expected) in [
            (2, false, JobStatus::Running),
            (1, false, JobStatus::Running),
            (2, true, JobStatus::Partial),
            (1, true, JobStatus::Partial),
            (0, true, JobStatus::Finished),
            (0, false, JobStatus::Finished),
        ] {
            assert_eq!(progress(open, fanned_out).status(), expected, "{open} {fanned_out}");
        }
    }
}
