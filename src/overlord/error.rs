//! What can go wrong with a job, as a whole.

use std::{io, path::PathBuf};

use crate::{
    ca, fleet,
    ids::{MethodName, OverlordJobId},
    overlord::ScheduleError,
    store, tls,
    wire::WrongSecrets,
};

/// Why the overlord could not do what it was asked. What goes wrong with one host is that host's outcome, never this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such job here.
    #[error("no job `{id}` is known here")]
    UnknownJob {
        /// Which.
        id: OverlordJobId,
    },
    /// Somebody is handing the job out already.
    #[error("another process is handing out `{id}`{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    BeingHandedOut {
        /// Which job.
        id: OverlordJobId,
        /// Who, if it said so.
        pid: Option<u32>,
    },
    /// The map of a job misses hosts that it should have.
    #[error("the map of `{id}` holds {found} hosts and should hold {wanted}; the store has lost rows")]
    TornMap {
        /// Which job.
        id: OverlordJobId,
        /// Hosts that are there.
        found: usize,
        /// Hosts that should be.
        wanted: usize,
    },
    /// What is known of hosts cannot be used.
    #[error(transparent)]
    Facts(#[from] fleet::FactsError),
    /// Who is reached through whom cannot be read or kept.
    #[error(transparent)]
    Map(#[from] fleet::MapError),
    /// A job that has not ended is not taken away.
    #[error("`{id}` has not ended")]
    Live {
        /// Which job.
        id: OverlordJobId,
    },
    /// No host of a job ended as was asked for.
    #[error("no host of `{id}` has ended like that")]
    NothingToRetry {
        /// Which job.
        id: OverlordJobId,
    },
    /// What is secret of a job's call is needed and not there.
    #[error(
        "`{method}` takes a secret, which is not kept with the job `{id}`: {unsent} of its hosts may not have got it"
    )]
    SecretGone {
        /// Which job.
        id: OverlordJobId,
        /// Hosts that may have been sent nothing.
        unsent: usize,
        /// What it calls.
        method: MethodName,
    },
    /// Other secrets were given than those that the job's call has.
    #[error("the secrets do not fit the job `{id}`")]
    WrongSecrets {
        /// Which job.
        id: OverlordJobId,
        /// How many it has.
        source: WrongSecrets,
    },
    /// The lock of a job cannot be used.
    #[error("cannot lock the job by `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The target chooses nobody.
    #[error(transparent)]
    NoHost(#[from] fleet::NoHost),
    /// Something is wrong with a schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// There is nobody to choose from.
    #[error("{} `{}`", if *missing { "there is no inventory" } else { "no minions are in the inventory" }, path.display())]
    NoMinions {
        /// The inventory.
        path: PathBuf,
        /// Whether it is not there at all.
        missing: bool,
    },
    /// There is no store, so there are no jobs.
    #[error("there are no jobs here: `{}` does not exist", path.display())]
    NoStore {
        /// The store's folder.
        path: PathBuf,
    },
    /// The groups cannot be used, or there is no such group.
    #[error(transparent)]
    Groups(#[from] fleet::GroupError),
    /// The list of hosts known to be down cannot be used.
    #[error(transparent)]
    Down(#[from] fleet::SelectError),
    /// The inventory cannot be used.
    #[error(transparent)]
    Inventory(#[from] ca::Error),
    /// Our own certificate cannot be used.
    #[error(transparent)]
    Identity(#[from] tls::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
}
