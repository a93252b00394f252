//! A job as it is shown.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::{
    record::{JobPlan, JobRecord, Progress},
    state::HostState,
};
use crate::{
    fleet::{Outcome, Stage, Summary},
    ids::{HostName, MethodName, MinionJobId, OverlordJobId},
    store::Unreadable,
    wire::JobStatus,
};

/// A job and each of its hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// Which job.
    pub id: OverlordJobId,
    /// Who made it, where that is known.
    pub submitter: Option<String>,
    /// The call that it is.
    pub record: JobRecord,
    /// How it is handed out.
    pub plan: JobPlan,
    /// Where that is, if some hosts wait for others.
    pub stage: Option<Stage>,
    /// How far it is.
    pub progress: Progress,
    /// When somebody cancelled it.
    pub cancelled: Option<Timestamp>,
    /// Whether it is still to be handed out and nobody does so: `resume` goes on.
    pub interrupted: bool,
    /// Its hosts, but those of which something cannot be read.
    pub hosts: BTreeMap<HostName, HostView>,
    /// Hosts whose records are damaged, and what is wrong with them. They are neither asked nor sent anything.
    pub unreadable: BTreeMap<String, String>,
}

/// One host's part of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct HostView {
    /// The minion's job; hosts that were skipped have none.
    pub minion_job: Option<MinionJobId>,
    /// Where it is.
    pub state: HostState,
    /// How often its part was sent, or tried to be.
    pub attempts: u32,
    /// Why the minion could not be asked just now, which changes nothing about the job.
    pub unasked: Option<String>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLine {
    /// Which job.
    pub id: OverlordJobId,
    /// Who made it, where that is known; `schedule:NAME` for a schedule.
    pub submitter: Option<String>,
    /// Its target, as it was written.
    pub target: String,
    /// Its method.
    pub method: MethodName,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// How far it is.
    pub progress: Progress,
    /// How many hosts it has.
    pub hosts: usize,
    /// Whether it is still to be handed out and nobody does so.
    pub interrupted: bool,
}

/// The jobs that the store knows.
#[derive(Debug, Clone, Default)]
pub struct JobList {
    /// Oldest first.
    pub jobs: Vec<JobLine>,
    /// Those whose records cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// The folder of the store, if there is none.
    pub missing: Option<PathBuf>,
}

impl JobView {
    /// The job's status.
    pub fn status(&self) -> JobStatus {
        self.progress.status()
    }

    /// Whether every result is here.
    pub fn is_finished(&self) -> bool {
        self.status() == JobStatus::Finished
    }

    /// Whether all that is still open cannot be read, so that waiting brings nothing.
    pub fn is_stuck(&self) -> bool {
        !self.unreadable.is_empty() && self.hosts.values().all(|host| host.state.is_done())
    }

    /// How the hosts that have ended did.
    pub fn summary(&self) -> Summary {
        self.progress.summary
    }

    /// The hosts that have ended, and how.
    pub fn outcomes(&self) -> impl Iterator<Item = (&HostName, &Outcome)> {
        self.hosts.iter().filter_map(|(host, view)| Some((host, view.state.outcome()?)))
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        let hosts: serde_json::Map<_, _> =
            self.hosts.iter().map(|(host, view)| (host.to_string(), view.to_json())).collect();
        json!({
            "id": self.id, "status": self.status().word(), "interrupted": self.interrupted, "cancelled": self.cancelled,
            "submitter": self.submitter, "target": self.record.target, "method": self.record.method,
            "args": self.record.args.iter().map(crate::wire::Value::to_json).collect::<Vec<_>>(),
            "submitted": self.record.submitted, "fanned_out": self.progress.fanned_out, "ended": self.progress.ended,
            "open": self.progress.open, "summary": self.progress.to_json(), "hosts": hosts,
            "unreadable": self.unreadable, "retry_of": self.plan.retry_of, "rollout": self.rollout_json(),
        })
    }
}

impl JobView {
    /// How it is handed out and where that is, if some hosts wait for others.
    fn rollout_json(&self) -> serde_json::Value {
        let Some(stage) = &self.stage else { return serde_json::Value::Null };
        let rollout = &self.plan.rollout;
        let (word, upto, until) = match *stage {
            Stage::Asking { upto } => ("asking", Some(upto), None),
            Stage::Pausing { upto, until } => ("pausing", Some(upto), Some(until)),
            Stage::Asked => ("asked", None, None),
            Stage::Stopped(_) => ("stopped", None, None),
        };
        json!({
            "canary": rollout.canary, "batch": rollout.batch, "max_fail": rollout.max_fail, "retry": rollout.retry,
            "pause_seconds": rollout.pause.as_secs_f64(), "stage": word, "upto": upto, "until": until,
        })
    }
}

impl HostView {
    fn to_json(&self) -> serde_json::Value {
        let mut data = json!({ "state": self.state.word(), "since": self.state.since(), "minion_job": self.minion_job, "attempts": self.attempts });
        if let Some(outcome) = self.state.outcome() {
            data["result"] = outcome.to_json();
        }
        if let Some(why) = &self.unasked {
            data["unasked"] = json!(why);
        }
        data
    }
}

impl JobLine {
    /// The job's status.
    pub fn status(&self) -> JobStatus {
        self.progress.status()
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "id": self.id, "status": self.status().word(), "interrupted": self.interrupted, "submitter": self.submitter,
            "target": self.target, "method": self.method, "submitted": self.submitted, "ended": self.progress.ended, "hosts": self.hosts,
            "open": self.progress.open, "summary": self.progress.to_json(),
        })
    }
}
