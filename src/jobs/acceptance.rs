//! Accepting calls: one file made for each id, and the same id again.

use std::io;

use super::{
    birth::{self, Birth},
    error::{JournalError, SubmitError},
    index::{Entry, Job, Phase},
    intent::Intent,
    message::{Done, SubmitReply},
    owner::{Owner, Queued},
    record::{Call, End},
};
use crate::ids::MinionJobId;

impl Owner {
    /// Accepts a call, or says why not. A new one is answered when its file is durable.
    pub(super) fn submit(&mut self, call: Box<Call>, reply: SubmitReply) {
        let id = call.id.clone();
        let refuse = |reply: SubmitReply, error| drop(reply.send(Err(error)));
        match self.index.get(&id) {
            Some(Entry::Job(job)) if job.is_for(&call) => match &mut job.phase {
                Phase::Birth { replies, .. } => replies.push(reply),
                Phase::Burying(_) => refuse(reply, SubmitError::Purged { id }),
                _ => drop(reply.send(Ok(id))),
            },
            Some(Entry::Tombstone(tombstone)) if tombstone.owner == call.owner && tombstone.is_of_nothing() => {
                refuse(reply, SubmitError::Cancelled { id });
            }
            Some(Entry::Tombstone(tombstone))
                if tombstone.owner == call.owner && tombstone.fingerprint == call.fingerprint() =>
            {
                refuse(reply, SubmitError::Purged { id });
            }
            Some(Entry::Unread { .. }) => refuse(reply, SubmitError::Unread { id }),
            Some(_) => refuse(reply, SubmitError::Mismatch { id }),
            None if !self.closing.is_empty() => refuse(reply, SubmitError::ShuttingDown),
            None if self.queue.len() + self.births >= self.queue_max => {
                refuse(reply, SubmitError::Busy { waiting: self.queue.len() + self.births });
            }
            None => {
                let birth = Phase::Birth { replies: vec![reply], early: None };
                self.index.insert(id.clone(), Entry::Job(Job::new(&call, birth)));
                self.births += 1;
                let (folder, worker) = (self.folder.clone(), self.reserve_worker(&id));
                let written = move |journal| {
                    if let Some(give) = worker {
                        give(journal);
                    }
                };
                self.in_background(move || birth::create(&folder, *call, written), |born| Done::Born { id, born });
            }
        }
    }

    /// Answers everybody who asked for this job, and queues it.
    pub(super) fn born(&mut self, id: MinionJobId, born: Result<Birth, JournalError>) {
        self.births -= 1;
        let Some(job) = self.index.job(&id) else { return };
        let cancelled = job.intent == Intent::Cancel;
        let Phase::Birth { replies, early } = std::mem::replace(&mut job.phase, Phase::Waiting) else { return };
        let early = match (&born, early) {
            (Ok(Birth::New(_)), early) => early,
            // There is no such job, so nobody begins it.
            (_, Some(early)) => {
                early.word.never();
                self.places_taken -= 1;
                None
            }
            (_, None) => None,
        };
        match born {
            Ok(Birth::New(journal)) => {
                for reply in replies {
                    let _ = reply.send(Ok(id.clone()));
                }
                if let Some(early) = early {
                    // From here on the lock is the worker's alone.
                    drop(journal);
                    return self.let_begin(&id, early, cancelled);
                }
                let queued = Queued::new(id, journal);
                if cancelled {
                    self.end_unbegun(queued, End::Cancelled);
                } else {
                    self.queue.push_back(queued);
                    self.pump();
                }
            }
            Ok(Birth::Taken) => {
                // Somebody put a file there behind our back.
                self.index.insert(id.clone(), Entry::Unreadable);
                for reply in replies {
                    let _ = reply.send(Err(SubmitError::Mismatch { id: id.clone() }));
                }
            }
            Err(error) => {
                self.index.remove(&id);
                let error = SubmitError::from(error);
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot record a job");
                let mut replies = replies.into_iter();
                let first = replies.next();
                for reply in replies {
                    let _ = reply.send(Err(SubmitError::Io { source: io::Error::other(error.to_string()) }));
                }
                if let Some(first) = first {
                    let _ = first.send(Err(error));
                }
            }
        }
    }
}
