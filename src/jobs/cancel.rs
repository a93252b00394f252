//! Cancelling, as the owner's task sees it.
//!
//! First the wish is made durable, then whatever the job's phase is by then is ended: one that waits leaves the
//! queue, one that somebody has is ended with its worker. What is settled meanwhile and has no end is ended then.
//! An id that nobody has submitted is taken, so that a submission that is still on its way comes to nothing.

use super::{
    error::{Error, JournalError},
    index::{Entry, Job, Phase},
    intent::Intent,
    kill,
    message::{CancelReply, Cancelling, Done},
    owner::Owner,
    record::{End, Tombstone},
    settle,
};
use crate::{ids::MinionJobId, sys::clock::BootId};

impl Owner {
    /// Begins to cancel a job, and answers when that is durable. `None` to everybody but its owner.
    pub(super) fn cancel(&mut self, id: MinionJobId, owner: &str, reply: CancelReply) {
        let path = self.path(&id);
        match self.index.get(&id) {
            Some(Entry::Job(job)) if job.owner == owner => {
                let known = job.known();
                if known.end.is_none() {
                    drop(reply.send(Ok(Some(Cancelling::Begun(known)))));
                    return;
                }
                let newborn = matches!(job.phase, Phase::Birth { .. });
                job.intent = Intent::Cancel;
                if newborn {
                    // There is no journal yet to write the wish beside; it ends as soon as there is one.
                    drop(reply.send(Ok(Some(Cancelling::Begun(known)))));
                    return;
                }
                self.in_background(
                    move || Intent::cancel(&path),
                    move |written| {
                        if let Err(error) = written {
                            // It ends all the same, unless this daemon ends before it.
                            tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot record that a job is cancelled");
                        }
                        drop(reply.send(Ok(Some(Cancelling::Begun(known)))));
                        Done::Intended { id }
                    },
                );
            }
            Some(Entry::Tombstone(tombstone)) if tombstone.owner == owner && tombstone.is_of_nothing() => {
                drop(reply.send(Ok(Some(Cancelling::NeverBegan))));
            }
            Some(Entry::Unread { .. }) => drop(reply.send(Err(Error::Unread { id }))),
            Some(Entry::Unreadable) => drop(reply.send(Err(Error::Unreadable { id }))),
            Some(Entry::Job(_) | Entry::Tombstone(_)) => drop(reply.send(Ok(None))),
            None => {
                let tombstone = Tombstone::of_nothing(owner, self.boot.now());
                self.index.insert(id.clone(), Entry::Tombstone(tombstone.clone()));
                self.in_background(
                    move || settle::reserve(&path, &tombstone),
                    move |reserved| Done::Reserved { id, reserved, reply },
                );
            }
        }
    }

    /// Takes in that an id was taken, or why it was not.
    pub(super) fn reserved(&mut self, id: MinionJobId, reserved: Result<bool, JournalError>, reply: CancelReply) {
        let answer = match reserved {
            Ok(true) => Ok(Some(Cancelling::NeverBegan)),
            Ok(false) => {
                // Somebody put a file there behind our back.
                self.index.insert(id.clone(), Entry::Unreadable);
                Err(Error::Unreadable { id })
            }
            Err(error) => {
                self.index.remove(&id);
                Err(Error::Folder { path: self.path(&id), source: error.into_io() })
            }
        };
        let _ = reply.send(answer);
    }

    /// Removes the wish to cancel a job that has ended.
    pub(super) fn forget_wish(&mut self, id: &MinionJobId) {
        let path = self.path(id);
        self.in_background(
            move || {
                Intent::settled(&path);
                Ok(())
            },
            |_| Done::Noted,
        );
    }

    /// Ends a job that is to be cancelled, wherever it is now.
    pub(super) fn pursue(&mut self, id: &MinionJobId) {
        let Some(Job { phase, intent: Intent::Cancel, .. }) = self.index.job(id) else { return };
        match phase {
            Phase::Waiting => {
                if let Some(place) = self.queue.iter().position(|queued| queued.id == *id)
                    && let Some(queued) = self.queue.remove(place)
                {
                    self.end_unbegun(queued, End::Cancelled);
                }
            }
            Phase::HandedOver { .. } | Phase::Refused(_) | Phase::Adopted => {
                *phase = Phase::Ending;
                let (id, path, boot): (_, _, BootId) = (id.clone(), self.path(id), self.boot);
                let (ended, cgroups) = (id.clone(), self.cgroups.clone());
                let end = move || {
                    let settled = kill::end(&path, boot, cgroups.as_ref());
                    if let Some(cgroups) = cgroups {
                        cgroups.after(&ended, &settled);
                    }
                    settled
                };
                self.in_background(end, |settled| Done::Settled { id, settled });
            }
            // The wish came too late, but it lies there.
            Phase::Ended(_) | Phase::Burying(_) => self.forget_wish(id),
            // These come back here, or end and are done with.
            Phase::Birth { .. } | Phase::Settling(_) | Phase::Ending => {}
        }
    }
}
