//! What can go wrong with jobs.

use std::{
    any::Any,
    io,
    path::{Path, PathBuf},
};

use super::record::EncodeError;
use crate::ids::MinionJobId;

/// Why the jobs cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder cannot be made or read.
    #[error("cannot use the folder of jobs `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another daemon has the folder.
    #[error("the folder of jobs `{}` belongs to a running minion; give each minion a folder of its own", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The process that makes the workers cannot be started.
    #[error("cannot start the fork server `{program}`")]
    ForkServer {
        /// What was to be run.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The job's file is there and says nothing that can be understood, so neither is its owner known.
    #[error("the record of the job `{id}` cannot be understood")]
    Unreadable {
        /// The job.
        id: MinionJobId,
    },
    /// The job's file cannot be read at the moment. Nothing is known of the job, not even whose it is.
    #[error("the job `{id}` cannot be read now; ask again")]
    Unread {
        /// The job.
        id: MinionJobId,
    },
    /// The owner's task has ended, so nothing can be asked of it.
    #[error("the jobs have been shut down")]
    ShutDown,
}

/// Why a call did not become a job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// As many jobs as allowed are waiting.
    #[error("busy: {waiting} jobs are waiting for a worker; try again later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The id belongs to another call or another caller, which is all that anybody learns.
    #[error("the job id `{id}` is not free")]
    Mismatch {
        /// The id.
        id: MinionJobId,
    },
    /// The same call under the same id has run, and its record has been purged.
    #[error("the job `{id}` has ended and its record has been purged; it does not run again")]
    Purged {
        /// The id.
        id: MinionJobId,
    },
    /// The id was cancelled before this call arrived.
    #[error("the job `{id}` was cancelled before it was accepted; it does not run")]
    Cancelled {
        /// The id.
        id: MinionJobId,
    },
    /// There is no room on the disk for the job and its result.
    #[error("no space on the disk for a job")]
    NoSpace {
        /// The system's reason.
        source: io::Error,
    },
    /// The job could not be recorded.
    #[error("cannot record the job")]
    Io {
        /// The system's reason.
        source: io::Error,
    },
    /// There is a job of this id whose file cannot be read at the moment.
    #[error("busy: the job `{id}` cannot be read now; try again later")]
    Unread {
        /// The id.
        id: MinionJobId,
    },
    /// The minion is stopping.
    #[error("the minion is stopping and takes no more jobs")]
    ShuttingDown,
}

/// Why a job's file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    #[error("cannot use the journal `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot write to the journal")]
    Write { source: io::Error },
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("a fault of the minion broke the work on a journal off; please report it: {message}")]
    Panicked { message: String },
}

impl JournalError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Self::Panicked { message: message.to_owned() }
    }

    /// The system's reason.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Io { source, .. } | Self::Write { source } => source,
            Self::Encode(error) => io::Error::new(io::ErrorKind::InvalidInput, error),
            panicked @ Self::Panicked { .. } => io::Error::other(panicked.to_string()),
        }
    }
}

impl From<JournalError> for SubmitError {
    fn from(error: JournalError) -> Self {
        let source = error.into_io();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { source },
            _ => Self::Io { source },
        }
    }
}
