//! What the owner's task can be asked and told.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{
    birth::Birth,
    error::{Error, JournalError, SubmitError},
    record::{Call, End, Tombstone},
    recover::Found,
    report::{JobReport, JobState, Listing},
    settle::Settled,
};
use crate::{
    ids::{Digest, MethodName, MinionJobId, OverlordJobId},
    sys::clock::Moment,
};

/// Where the answer to a submission goes.
pub(super) type SubmitReply = oneshot::Sender<Result<MinionJobId, SubmitError>>;

/// Where the answer to a cancelling goes.
pub(super) type CancelReply = oneshot::Sender<Result<Option<Cancelling>, Error>>;

/// One message to the owner.
#[derive(Debug)]
pub(super) enum Message {
    /// A caller wants this done.
    Submit { call: Box<Call>, reply: SubmitReply },
    /// A caller sends a call under an id that it chose: is it that job already?
    Knows { id: MinionJobId, owner: String, fingerprint: Digest, reply: oneshot::Sender<Result<bool, SubmitError>> },
    /// A caller asks for a job of its own. `None` to everybody else.
    Find { id: MinionJobId, owner: String, reply: oneshot::Sender<Result<Option<Known>, Error>> },
    /// A caller wants a job of its own to end. `None` to everybody else.
    Cancel { id: MinionJobId, owner: String, reply: CancelReply },
    /// A caller asks for all jobs of its own.
    List { owner: String, reply: oneshot::Sender<Vec<Listing>> },
    /// Somebody wants to collect compiled code.
    DigestsInUse { reply: oneshot::Sender<Vec<Digest>> },
    /// A result was given to its owner.
    Fetched { id: MinionJobId },
    /// The minion stops.
    Shutdown { reply: oneshot::Sender<()> },
    /// The compiled code of a component has been made again, or cannot be.
    Renewed { digest: Digest },
    /// It is time to look at a job.
    Gone { id: MinionJobId },
    /// Work on another thread is done.
    Done(Done),
}

/// What came of a piece of work that was done on another thread.
#[derive(Debug)]
pub(super) enum Done {
    /// A job's file was created, or not.
    Born { id: MinionJobId, born: Result<Birth, JournalError> },
    /// A job was looked at.
    Settled { id: MinionJobId, settled: Result<Settled, JournalError> },
    /// A file that could not be read was tried again.
    Tried { found: Found, error: Option<JournalError> },
    /// An ended job was buried, or a tombstone removed.
    Purged { id: MinionJobId, left: Result<Option<Tombstone>, JournalError> },
    /// The wish to cancel a job was recorded.
    Intended { id: MinionJobId },
    /// The id of a job that was never submitted was taken.
    Reserved { id: MinionJobId, reserved: Result<bool, JournalError>, reply: CancelReply },
    /// It was written down whose results were fetched.
    Acknowledged,
    /// Something was written that nothing depends on.
    Noted,
}

/// What became of a wish to cancel.
#[derive(Debug)]
pub(super) enum Cancelling {
    /// It will end, or has ended.
    Begun(Known),
    /// There was no such job, and there never will be.
    NeverBegan,
}

/// What the owner's task knows of a job without looking at its file.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) method: MethodName,
    pub(super) overlord_job: Option<OverlordJobId>,
    pub(super) accepted: Moment,
    /// For a job that has not ended: its end, once it comes, or the sender is dropped and it is in the file.
    pub(super) end: Option<oneshot::Receiver<Arc<End>>>,
}

impl Known {
    pub(super) fn into_report(self, id: &MinionJobId, state: JobState) -> JobReport {
        JobReport {
            id: id.clone(),
            method: self.method,
            overlord_job: self.overlord_job,
            accepted: self.accepted.wall,
            state,
        }
    }
}
