//! Every job of the minion, as far as it is kept in memory: whose it is, and how far it is.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    early::Early,
    error::{Error, SubmitError},
    fence::Calling,
    intent::Intent,
    message::{Known, SubmitReply},
    record::{Call, End, Tombstone},
    report::Listing,
    request::Refusal,
    retention::Remains,
    settle::Remembered,
    state::InHand,
};
use crate::{
    ids::{Digest, MethodName, MinionJobId, OverlordJobId},
    sys::{
        clock::{BootId, Moment},
        pidfd::PidFd,
    },
    wire::{JobStatus, Secrets},
};

/// What an id stands for.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "almost every entry is a job")]
pub(super) enum Entry {
    Job(Job),
    /// A job that has been purged.
    Tombstone(Tombstone),
    /// A file that says nothing that can be understood. Its id stays taken.
    Unreadable,
    /// A file that could not be read, for want of descriptors or because of the disk. It is tried again.
    Unread {
        /// Whether that is being done.
        looking: bool,
    },
}

/// A job.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "an overlord's job is another thing than a job")]
pub(super) struct Job {
    pub(super) owner: String,
    pub(super) fingerprint: Digest,
    pub(super) method: MethodName,
    pub(super) overlord_job: Option<OverlordJobId>,
    pub(super) digest: Digest,
    pub(super) calling: Calling,
    pub(super) accepted: Moment,
    /// Counted from `accepted`.
    pub(super) deadline: Duration,
    pub(super) phase: Phase,
    /// What is secret of its call, until it ends; gone where an earlier daemon accepted it.
    pub(super) secrets: Secrets,
    /// What its owner wants of it.
    pub(super) intent: Intent,
    /// How often it came back from the fork server without having been begun.
    pub(super) returns: u32,
    /// Whoever waits for the job's end.
    waiters: Vec<oneshot::Sender<Arc<End>>>,
}

/// How far a job is, seen from the daemon.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its file is being made; these wait for it. A worker may be getting ready for it meanwhile.
    Birth { replies: Vec<SubmitReply>, early: Option<Early> },
    /// It waits for a worker.
    Waiting,
    /// A worker of ours has it; its pipe will end. The worker is known once the fork server has said so.
    HandedOver { worker: Option<PidFd> },
    /// The fork server has refused it; its pipe is about to end.
    Refused(Refusal),
    /// Some process has it, and there is no pipe.
    Adopted,
    /// Its journal is being looked at, after this refusal if there was one.
    Settling(Option<Refusal>),
    /// It is cancelled, and its worker is being ended.
    Ending,
    /// It has ended.
    Ended(Remembered),
    /// It has ended, and a tombstone is being put in place of it.
    Burying(Remembered),
}

impl Phase {
    /// Whether the job takes one of the places for workers.
    pub(super) fn takes_a_place(&self) -> bool {
        match self {
            Self::Birth { early, .. } => early.is_some(),
            Self::HandedOver { .. } | Self::Refused(_) | Self::Adopted | Self::Settling(_) | Self::Ending => true,
            Self::Waiting | Self::Ended(_) | Self::Burying(_) => false,
        }
    }

    /// Whether the job may still need the compiled code of its digest.
    fn needs_code(&self) -> bool {
        match self {
            Self::Birth { .. }
            | Self::Waiting
            | Self::Refused(_)
            | Self::Settling(_)
            | Self::HandedOver { worker: None } => true,
            Self::HandedOver { worker: Some(_) } | Self::Adopted | Self::Ending | Self::Ended(_) | Self::Burying(_) => {
                false
            }
        }
    }

    fn remembered(&self) -> Option<&Remembered> {
        match self {
            Self::Ended(remembered) | Self::Burying(remembered) => Some(remembered),
            _ => None,
        }
    }
}

impl Job {
    pub(super) fn new(call: &Call, phase: Phase) -> Self {
        Self {
            owner: call.owner.clone(),
            fingerprint: call.fingerprint(),
            method: call.method.clone(),
            overlord_job: call.overlord_job.clone(),
            digest: call.digest,
            calling: Calling::of(&call.grant),
            accepted: call.accepted,
            deadline: call.deadline,
            phase,
            secrets: Secrets::of(&call.args),
            intent: Intent::Run,
            returns: 0,
            waiters: Vec::new(),
        }
    }

    /// Whether this is the job of such a call by such a caller.
    pub(super) fn is_for(&self, call: &Call) -> bool {
        self.owner == call.owner && self.fingerprint == call.fingerprint()
    }

    /// Whether its time is over.
    pub(super) fn is_late(&self, now: &Moment) -> bool {
        self.accepted.until(now) >= self.deadline
    }

    /// Notes the end and wakes whoever waits for it, with what became of the job if that is at hand.
    pub(super) fn end(&mut self, remembered: Remembered, end: Option<&Arc<End>>) {
        self.phase = Phase::Ended(remembered);
        self.secrets = Secrets::default();
        for waiter in self.waiters.drain(..) {
            // Who does not wait any more does not hear of it; without an end, that the sender is gone says enough.
            let _ = end.map(|end| waiter.send(Arc::clone(end)));
        }
    }

    /// What of its call is here and not in its journal.
    pub(super) fn in_hand(&self) -> InHand {
        if self.secrets.are_here() { InHand::Secrets } else { InHand::Nothing }
    }

    /// What its owner may know at once.
    pub(super) fn known(&mut self) -> Known {
        let end = self.phase.remembered().is_none().then(|| {
            let (waiter, end) = oneshot::channel();
            self.waiters.retain(|waiter| !waiter.is_closed());
            self.waiters.push(waiter);
            end
        });
        Known { method: self.method.clone(), overlord_job: self.overlord_job.clone(), accepted: self.accepted, end }
    }
}

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<MinionJobId, Entry>);

impl Index {
    pub(super) fn get(&mut self, id: &MinionJobId) -> Option<&mut Entry> {
        self.0.get_mut(id)
    }

    pub(super) fn job(&mut self, id: &MinionJobId) -> Option<&mut Job> {
        match self.0.get_mut(id) {
            Some(Entry::Job(job)) => Some(job),
            _ => None,
        }
    }

    pub(super) fn insert(&mut self, id: MinionJobId, entry: Entry) {
        self.0.insert(id, entry);
    }

    pub(super) fn remove(&mut self, id: &MinionJobId) -> Option<Entry> {
        self.0.remove(id)
    }

    /// A job of this owner. One that cannot be read may be anybody's, so nobody hears that there is none.
    pub(super) fn find(&mut self, id: &MinionJobId, owner: &str) -> Result<Option<Known>, Error> {
        match self.0.get_mut(id) {
            // Whose it is cannot be told yet.
            Some(Entry::Unread { .. }) => Err(Error::Unread { id: id.clone() }),
            // A job that is not durable yet does not exist yet.
            Some(Entry::Job(job)) if job.owner == owner && !matches!(job.phase, Phase::Birth { .. }) => {
                Ok(Some(job.known()))
            }
            Some(Entry::Unreadable) => Err(Error::Unreadable { id: id.clone() }),
            _ => Ok(None),
        }
    }

    /// Whether such a call by this owner is the job of this id; an error if the id is taken otherwise.
    pub(super) fn knows(&self, id: &MinionJobId, owner: &str, call: Digest) -> Result<bool, SubmitError> {
        let (whose, what, standing) = match self.0.get(id) {
            Some(Entry::Tombstone(tombstone)) if tombstone.is_of_nothing() && tombstone.owner == owner => {
                return Err(SubmitError::Cancelled { id: id.clone() });
            }
            None => return Ok(false),
            Some(Entry::Unreadable) => return Err(SubmitError::Mismatch { id: id.clone() }),
            Some(Entry::Unread { .. }) => return Err(SubmitError::Unread { id: id.clone() }),
            Some(Entry::Tombstone(tombstone)) => (&tombstone.owner, tombstone.fingerprint, None),
            Some(Entry::Job(job)) => {
                let standing = match job.phase {
                    Phase::Burying(_) => None,
                    // Not durable yet, so to be submitted like a new one, which waits until it is.
                    Phase::Birth { .. } => Some(false),
                    _ => Some(true),
                };
                (&job.owner, job.fingerprint, standing)
            }
        };
        if whose != owner || what != call {
            return Err(SubmitError::Mismatch { id: id.clone() });
        }
        standing.ok_or_else(|| SubmitError::Purged { id: id.clone() })
    }

    /// Files to be tried again, which are then being tried.
    pub(super) fn take_unread(&mut self) -> Vec<MinionJobId> {
        let untried = self.0.iter_mut().filter_map(|(id, entry)| match entry {
            Entry::Unread { looking: looking @ false } => {
                *looking = true;
                Some(id.clone())
            }
            _ => None,
        });
        untried.collect()
    }

    /// All jobs of this owner.
    pub(super) fn list(&self, owner: &str) -> Vec<Listing> {
        let mut list: Vec<Listing> = self
            .jobs()
            .filter(|(_, job)| job.owner == owner && !matches!(job.phase, Phase::Birth { .. }))
            .map(|(id, job)| Listing {
                id: id.clone(),
                overlord_job: job.overlord_job.clone(),
                status: job.phase.remembered().map_or(JobStatus::Running, |remembered| remembered.status),
            })
            .collect();
        list.sort_by(|one, other| one.id.cmp(&other.id));
        list
    }

    /// The components whose compiled code is still needed.
    pub(super) fn digests_in_use(&self) -> Vec<Digest> {
        let mut digests: Vec<Digest> =
            self.jobs().filter(|(_, job)| job.phase.needs_code()).map(|(_, job)| job.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    }

    /// Jobs that some process has without our holding its pipe.
    pub(super) fn adopted(&self) -> Vec<MinionJobId> {
        let adopted = self.jobs().filter(|(_, job)| matches!(job.phase, Phase::Adopted));
        adopted.map(|(id, _)| id.clone()).collect()
    }

    /// Jobs that may be running, or may soon run.
    pub(super) fn open(&self) -> HashSet<MinionJobId> {
        let open = self.0.iter().filter(|(_, entry)| match entry {
            Entry::Job(job) => job.phase.remembered().is_none(),
            Entry::Unread { .. } => true,
            Entry::Tombstone(_) | Entry::Unreadable => false,
        });
        open.map(|(id, _)| id.clone()).collect()
    }

    /// How many places for workers are taken.
    pub(super) fn places_taken(&self) -> usize {
        self.jobs().filter(|(_, job)| job.phase.takes_a_place()).count()
    }

    /// What can be forgotten.
    pub(super) fn remains(&self) -> impl Iterator<Item = (&MinionJobId, Remains)> {
        self.0.iter().filter_map(|(id, entry)| match entry {
            Entry::Job(Job { phase: Phase::Ended(ended), .. }) => {
                Some((id, Remains::Ended { at: ended.at, fetched: ended.fetched, bytes: ended.bytes }))
            }
            Entry::Tombstone(tombstone) => Some((id, Remains::Tombstone { at: tombstone.purged })),
            _ => None,
        })
    }

    /// Whether the age of anything that can be forgotten depends, or may depend, on the wall clock.
    pub(super) fn reaches_into_another_boot(&self, boot: BootId) -> bool {
        let unread = self.0.values().any(|entry| matches!(entry, Entry::Unread { .. }));
        unread
            || self.remains().any(|(_, remains)| {
                let (Remains::Ended { at, .. } | Remains::Tombstone { at }) = remains;
                at.boot != boot
            })
    }

    fn jobs(&self) -> impl Iterator<Item = (&MinionJobId, &Job)> {
        self.0.iter().filter_map(|(id, entry)| match entry {
            Entry::Job(job) => Some((id, job)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};

    #[test]
    fn what_cannot_be_read_now_is_not_denied_and_is_tried_once_at_a_time() {
        let (id, mut index) = (MinionJobId::fresh(), Index::default());
        index.insert(id.clone(), Entry::Unread { looking: false });
        assert!(matches!(index.find(&id, "anybody"), Err(Error::Unread { .. })));
        assert_eq!(index.take_unread(), std::slice::from_ref(&id));
        assert_eq!(index.take_unread(), []);
        assert!(matches!(index.find(&MinionJobId::fresh(), "anybody"), Ok(None)));
    }

    #[test]
    fn records_of_another_boot_are_noticed() {
        let here = samples::moment(0);
        let elsewhere: BootId = postcard::from_bytes(&[7; 16]).unwrap();
        let buried_in = |boot| {
            let mut index = Index::default();
            let purged = Moment { boot, ..here };
            let tombstone = Tombstone { owner: String::new(), fingerprint: Digest::of(b""), purged };
            index.insert(MinionJobId::fresh(), Entry::Tombstone(tombstone));
            index.reaches_into_another_boot(here.boot)
        };
        assert!(!buried_in(here.boot));
        assert!(buried_in(elsewhere));
    }
}
