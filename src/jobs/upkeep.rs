//! Looking after jobs: what became of them, and which are old enough to be forgotten.

use std::{io, time::Duration};

use tokio::time::Instant;

use super::{
    error::JournalError,
    index::{Entry, Job, Phase},
    intent::Intent,
    message::Done,
    owner::{Owner, PATIENCE, Queued, path_of},
    record::{End, Tombstone},
    recover::{self, Found},
    request::Refusal,
    retention::{Purge, plan},
    settle::{self, Settled},
};
use crate::ids::MinionJobId;

/// How long a job waits before it is handed over again; twice as long each time, up to a bound.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often old records are purged.
const SWEEP: Duration = Duration::from_mins(1);

impl Owner {
    /// Looks at jobs whose files were closed by their writers.
    pub(super) fn look_at_closed(&mut self, ids: io::Result<Vec<MinionJobId>>) {
        match ids {
            // Ours have pipes.
            Ok(ids) => {
                for id in ids {
                    if let Some(Job { phase: Phase::Adopted, .. }) = self.index.job(&id) {
                        self.look(&id, PATIENCE);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot watch the folder of jobs; looking every second instead");
                self.closings = None;
            }
        }
    }

    /// Looks at a job whose worker seems to be gone.
    pub(super) fn look(&mut self, id: &MinionJobId, patience: Duration) {
        let Some(job) = self.index.job(id) else { return };
        let refusal = match &mut job.phase {
            Phase::HandedOver { .. } | Phase::Adopted => None,
            Phase::Refused(refusal) => Some(refusal.clone()),
            _ => return,
        };
        job.phase = Phase::Settling(refusal.clone());
        let (intent, in_hand) = (job.intent, job.in_hand());
        let (id, path, boot, cgroups) = (id.clone(), self.path(id), self.boot, self.cgroups.clone());
        let looked_at = id.clone();
        self.in_background(
            move || {
                let settled = settle::settle(&path, boot, patience, refusal.as_ref(), intent, in_hand);
                if let Some(cgroups) = cgroups {
                    cgroups.after(&looked_at, &settled);
                }
                settled
            },
            |settled| Done::Settled { id, settled },
        );
    }

    /// Takes in what a job was found to be.
    pub(super) fn settled(&mut self, id: MinionJobId, settled: Result<Settled, JournalError>) {
        let Some(job) = self.index.job(&id) else { return };
        match settled {
            Ok(Settled::Held) => {
                // Of one that could not be ended, the next tick tries again.
                let was_ending = matches!(job.phase, Phase::Ending);
                job.phase = Phase::Adopted;
                if !was_ending {
                    self.pursue(&id);
                }
                return;
            }
            Ok(Settled::Ended(remembered, end)) => {
                job.end(remembered, end.as_ref());
                if job.intent == Intent::Cancel {
                    self.forget_wish(&id);
                }
            }
            Ok(Settled::Spawn(journal)) if job.intent == Intent::Cancel => {
                self.places_taken -= 1;
                self.end_unbegun(Queued::new(id, journal), End::Cancelled);
                return;
            }
            Ok(Settled::Spawn(journal)) => {
                tracing::warn!(job = %id, "no worker has begun it; it is spawned again");
                job.returns += 1;
                let refusal = match std::mem::replace(&mut job.phase, Phase::Waiting) {
                    Phase::Settling(refusal) => refusal,
                    _ => None,
                };
                let not_before = pause(job.returns, refusal.as_ref()).map(|pause| Instant::now() + pause);
                let digest = job.digest;
                self.queue.push_front(Queued { not_before, ..Queued::new(id, journal) });
                if matches!(refusal, Some(Refusal::NotLoaded(_))) {
                    self.renew(digest);
                }
            }
            Ok(Settled::Purged(tombstone)) => self.index.insert(id, Entry::Tombstone(tombstone)),
            Ok(Settled::Unreadable) => self.index.insert(id, Entry::Unreadable),
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                tracing::error!(job = %id, "its file was removed behind the minion's back");
                self.index.remove(&id);
            }
            Err(error) => {
                // The next tick looks again.
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot settle a job; trying again");
                job.phase = Phase::Adopted;
                return;
            }
        }
        self.places_taken -= 1;
        self.pump();
    }

    /// Takes in a job whose file could not be read before, and perhaps still cannot.
    pub(super) fn tried(&mut self, found: Found, error: Option<&JournalError>) {
        if let Some(JournalError::Io { source, .. }) = error
            && source.kind() == io::ErrorKind::NotFound
        {
            tracing::error!(job = %found.id, "its file was removed behind the minion's back");
            self.index.remove(&found.id);
            return;
        }
        self.take_over(found);
        self.places_taken = self.index.places_taken();
        self.pump();
    }

    /// Notes that the owner was given the result.
    pub(super) fn acknowledge(&mut self, id: MinionJobId) {
        let now = self.boot.now();
        if let Some(Job { phase: Phase::Ended(remembered), .. }) = self.index.job(&id)
            && remembered.fetched.is_none()
        {
            remembered.fetched = Some(now);
            self.fetched.push(id);
            self.write_acknowledgements();
        }
    }

    /// Writes down which results were fetched: all that have come together while others were written.
    pub(super) fn write_acknowledgements(&mut self) {
        if self.acknowledging || self.fetched.is_empty() {
            return;
        }
        self.acknowledging = true;
        let (ids, folder, boot) = (std::mem::take(&mut self.fetched), self.folder.clone(), self.boot);
        let work = move || {
            for id in ids {
                if let Err(error) = settle::acknowledge(&path_of(&folder, &id), boot) {
                    tracing::warn!(job = %id, error = &error as &dyn std::error::Error, "cannot note that it was fetched");
                }
            }
            Ok(())
        };
        self.in_background(work, |_| Done::Acknowledged);
    }

    /// Looks at what nobody reports.
    pub(super) fn tick(&mut self) {
        for id in self.index.take_unread() {
            let (path, boot, known, cgroups) = (self.path(&id), self.boot, id.clone(), self.cgroups.clone());
            self.in_background(
                move || Ok(recover::find(&path, known, boot, cgroups.as_ref())),
                |tried| match tried {
                    Ok((found, error)) => Done::Tried { found, error },
                    Err(error) => {
                        let found = Found { id, call: None, intent: Intent::Run, settled: None };
                        Done::Tried { found, error: Some(error) }
                    }
                },
            );
        }
        let adopted = self.index.adopted();
        if adopted.is_empty() && self.background == 0 {
            // Only an earlier daemon's workers need it.
            self.closings = None;
        }
        for id in adopted {
            // Those that are to be cancelled are then no longer adopted.
            self.pursue(&id);
            self.look(&id, Duration::ZERO);
        }
        self.end_late();
        self.pump();
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            self.swept = Some(Instant::now());
            self.sweep_cgroups();
            self.sweep();
        }
    }

    /// Removes control groups that are left over from jobs that have ended.
    fn sweep_cgroups(&mut self) {
        if let Some(cgroups) = self.cgroups.clone() {
            let open = self.index.open();
            self.in_background(
                move || {
                    cgroups.sweep(|id| open.contains(id));
                    Ok(())
                },
                |_| Done::Noted,
            );
        }
    }

    /// Purges what is old enough.
    fn sweep(&mut self) {
        let now = self.boot.now();
        if !self.jumps.trusts(now) {
            return;
        }
        for (id, purge) in plan(&self.retention, &now, self.index.remains()) {
            let path = self.path(&id);
            match (purge, self.index.get(&id)) {
                (Purge::Bury, Some(Entry::Job(job))) => {
                    let Phase::Ended(remembered) = job.phase else { continue };
                    job.phase = Phase::Burying(remembered);
                    let tombstone = Tombstone { owner: job.owner.clone(), fingerprint: job.fingerprint, purged: now };
                    self.in_background(
                        move || settle::bury(&path, &tombstone).map(|()| Some(tombstone)),
                        |left| Done::Purged { id, left },
                    );
                }
                (Purge::Remove, Some(Entry::Tombstone(_))) => self.in_background(
                    move || {
                        let removed = std::fs::remove_file(&path).map(|()| None);
                        removed.map_err(|source| JournalError::io(&path, source))
                    },
                    |left| Done::Purged { id, left },
                ),
                _ => {}
            }
        }
    }

    /// Takes in what a purge left.
    pub(super) fn purged(&mut self, id: MinionJobId, left: Result<Option<Tombstone>, JournalError>) {
        match left {
            Ok(Some(tombstone)) => self.index.insert(id, Entry::Tombstone(tombstone)),
            Ok(None) => drop(self.index.remove(&id)),
            Err(error) => {
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot purge a job; trying again");
                if let Some(job) = self.index.job(&id)
                    && let Phase::Burying(remembered) = job.phase
                {
                    job.phase = Phase::Ended(remembered);
                }
            }
        }
    }
}

/// How long a job waits that came back so many times. The first time not at all: a fork server may just have
/// died, or its code is being made again. But a system without room for a process needs a moment.
fn pause(returns: u32, refusal: Option<&Refusal>) -> Option<Duration> {
    let doublings = match refusal {
        Some(Refusal::NoProcess(_)) => returns.saturating_sub(1),
        _ => returns.checked_sub(2)?,
    };
    Some(RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_keeps_coming_back_waits_longer_and_longer() {
        let seconds = |refusal: Option<&Refusal>| [1, 2, 3, 4, 40].map(|returns| pause(returns, refusal));
        let [one, two, four, most] = [1, 2, 4, 30].map(|seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(seconds(None), [None, one, two, four, most]);
        let eight = Some(Duration::from_secs(8));
        assert_eq!(seconds(Some(&Refusal::NoProcess(String::new()))), [one, two, four, eight, most]);
    }
}
