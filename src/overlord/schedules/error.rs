//! What can go wrong with a schedule.

use crate::{
    ids::{MethodName, OverlordJobId, ScheduleName},
    overlord::Misfit,
};

/// Why a schedule cannot be made, found or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It is no cron expression.
    #[error("`{cron}` is no cron expression: {why}")]
    Cron {
        /// What was written.
        cron: String,
        /// What is wrong with it.
        why: String,
    },
    /// It names no instant.
    #[error("`{cron}` never comes")]
    Never {
        /// The expression.
        cron: String,
    },
    /// The zone is not known here.
    #[error("the time zone `{zone}` is not known on this machine")]
    Zone {
        /// Its name.
        zone: String,
        /// Why.
        source: jiff::Error,
    },
    /// There is none of this name.
    #[error("there is no schedule `{name}`")]
    Unknown {
        /// Which.
        name: ScheduleName,
    },
    /// There is one of this name already.
    #[error("there is a schedule `{name}` already")]
    Exists {
        /// Which.
        name: ScheduleName,
    },
    /// A secret would be kept.
    #[error("argument {position} of `{method}` is a secret, and what is in a schedule is kept")]
    Secret {
        /// What is to be called.
        method: MethodName,
        /// Counted from 1.
        position: usize,
    },
    /// Nobody can tell whether a secret is among the arguments.
    #[error("no host can be asked what `{method}` takes, so a secret might be among its arguments")]
    Untold {
        /// What is to be called.
        method: MethodName,
    },
    /// Whoever can be asked does not have the method.
    #[error("no host has `{method}`: {why}")]
    Missing {
        /// What is to be called.
        method: MethodName,
        /// What one of them said.
        why: String,
    },
    /// The arguments are not what the method takes.
    #[error("{source}; it is `{signature}`")]
    Misfit {
        /// Why.
        source: Misfit,
        /// The method as its author wrote it.
        signature: String,
    },
    /// What is kept of it cannot be used by this version.
    #[error("the schedule's {what} cannot be used: {why}")]
    Unusable {
        /// Which part of it.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The job of its last run is open.
    #[error("the job `{job}` of the last run of `{name}` has not ended")]
    Open {
        /// Which schedule.
        name: ScheduleName,
        /// Which job.
        job: OverlordJobId,
    },
}
