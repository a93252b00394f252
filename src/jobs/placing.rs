//! Giving jobs to workers while there are places for them.

use std::{
    collections::VecDeque,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};

use super::{
    fence::Calling,
    index::Phase,
    message::{Done, Message},
    owner::{Owner, Queued},
    record::End,
    request::Request,
    settle,
    spawner::{HandOver, Spawned},
    watch::closed,
    word::Word,
};
use crate::{
    ids::{Digest, MinionJobId},
    sys::{memory, pidfd::PidFd},
};

/// How long a job waits for the compiled code of its module to appear again (after a restart it may have
/// to be compiled anew).
const CODE_PATIENCE: Duration = Duration::from_mins(2);

/// What ties a worker to this daemon.
pub(super) struct Ties {
    word: Word,
    /// Ends with the worker.
    end: UnixStream,
    /// The worker's own end.
    completion: OwnedFd,
    secrets: Option<OwnedFd>,
}

/// A job on its way to a worker, but for its journal.
pub(super) struct Leaving {
    /// The worker begins when this is said.
    pub(super) word: Word,
    pub(super) way: mpsc::UnboundedSender<HandOver>,
    pub(super) request: Request,
    pub(super) completion: OwnedFd,
    pub(super) secrets: Option<OwnedFd>,
}

impl Owner {
    /// Gives waiting jobs to workers while there are places.
    pub(super) fn pump(&mut self) {
        let mut missing = VecDeque::new();
        while self.closing.is_empty() && self.places_taken < self.workers_max {
            let Some(next) = self.queue.pop_front() else { break };
            if let Some(still_waiting) = self.hand_over(next) {
                missing.push_back(still_waiting);
            }
        }
        // Behind the others: they must not keep them from their workers. The next tick looks again.
        self.queue.append(&mut missing);
    }

    /// Ends those whose deadline passed while they waited.
    pub(super) fn end_late(&mut self) {
        let now = self.boot.now();
        for next in std::mem::take(&mut self.queue) {
            match self.index.job(&next.id) {
                Some(job) if job.is_late(&now) => {
                    let after = job.deadline;
                    self.end_unbegun(next, End::TimedOut { after });
                }
                _ => self.queue.push_back(next),
            }
        }
    }

    /// Returns the job when it has to wait on.
    fn hand_over(&mut self, mut next: Queued) -> Option<Queued> {
        let digest = self.index.job(&next.id)?.digest;
        if next.not_before.is_some_and(|time| Instant::now() < time) || self.renewing.contains(&digest) {
            return Some(next);
        }
        let Some(compiled) = self.code.path(&digest) else {
            let Some(since) = next.without_code else {
                next.without_code = Some(Instant::now());
                self.renew(digest);
                return Some(next);
            };
            if since.elapsed() < CODE_PATIENCE {
                return Some(next);
            }
            let why = format!("its module ({}) is no longer installed", digest.short());
            self.end_unbegun(next, End::Lost { why });
            return None;
        };
        let ties = match self.ties_to_worker(&next.id) {
            Ok(ties) => ties,
            Err(error) => {
                tracing::error!(%error, "cannot make what ties a worker to this daemon");
                return Some(next);
            }
        };
        self.index.job(&next.id)?.phase = Phase::HandedOver { worker: None };
        let Leaving { word, way, request, completion, secrets } = self.leaving(next.id, compiled, ties)?;
        // Were the other side gone, the completion's end would bring the job back here.
        let _ = way.send(HandOver { request, journal: next.journal, completion, secrets });
        word.begin();
        None
    }

    /// Makes what ties a worker to this daemon.
    pub(super) fn ties_to_worker(&mut self, id: &MinionJobId) -> io::Result<Ties> {
        let (here, there) = UnixStream::pair()?;
        let secrets = self.secrets_of(id)?;
        Ok(Ties { word: Word::new(here.try_clone()?), end: here, completion: there.into(), secrets })
    }

    /// Takes a place for a job, which is about to be sent to the fork server.
    pub(super) fn leaving(&mut self, id: MinionJobId, compiled: PathBuf, ties: Ties) -> Option<Leaving> {
        let Ties { word, end, completion, secrets } = ties;
        // In a control group it can only be born by the one that has given nothing up.
        let calling = if self.cgroups.is_some() { Calling::Any } else { self.index.job(&id)?.calling };
        let way = self.spawners.of(calling).clone();
        self.places_taken += 1;
        self.tell_when_gone(id.clone(), end);
        let request = Request { id, compiled, state: self.state.clone(), cgroups: self.cgroups.clone() };
        Some(Leaving { word, way, request, completion, secrets })
    }

    /// What is secret of a job's call, in memory that a worker can be handed; nothing where nothing is.
    fn secrets_of(&mut self, id: &MinionJobId) -> io::Result<Option<OwnedFd>> {
        match self.index.job(id) {
            Some(job) if !job.secrets.is_empty() => memory::sealed(&job.secrets.to_bytes()).map(Some),
            _ => Ok(None),
        }
    }

    /// Records the end of a job that no worker ever had.
    pub(super) fn end_unbegun(&mut self, next: Queued, end: End) {
        let Queued { id, journal, .. } = next;
        if let Some(job) = self.index.job(&id) {
            job.phase = Phase::Settling(None);
            self.places_taken += 1;
            let (path, boot) = (self.path(&id), self.boot);
            self.in_background(
                move || settle::end_unbegun(&path, journal, boot, end),
                |settled| Done::Settled { id, settled },
            );
        }
    }

    /// Sends a message to this task when the worker's end is closed.
    fn tell_when_gone(&self, id: MinionJobId, end: UnixStream) {
        let itself = self.itself.clone();
        tokio::spawn(async move {
            if let Err(error) = closed(end).await {
                tracing::error!(job = %id, %error, "cannot watch a worker; its journal will be looked at");
            }
            if let Some(itself) = itself.upgrade() {
                let _ = itself.send(Message::Gone { id });
            }
        });
    }

    /// Notes who the worker of a job is.
    pub(super) fn note_worker(&mut self, Spawned { reply, descriptors }: Spawned) {
        let Some(job) = self.index.job(&reply.id) else { return };
        let told = reply.worker.map(|_| descriptors.into_iter().next().map(PidFd::from));
        if let Err(refusal) = &told {
            tracing::error!(job = %reply.id, %refusal, "the fork server made no worker");
        }
        // After a refusal the journal is let go and the completion ends, which brings the job back here.
        match (&mut job.phase, told) {
            (Phase::Birth { early: Some(early), .. }, Ok(worker)) => early.worker = worker,
            (Phase::Birth { early: Some(early), .. }, Err(refusal)) => early.refusal = Some(refusal),
            (phase @ Phase::HandedOver { .. }, Ok(worker)) => *phase = Phase::HandedOver { worker },
            (phase @ Phase::HandedOver { .. }, Err(refusal)) => *phase = Phase::Refused(refusal),
            _ => {}
        }
    }

    /// Has the compiled code of a component made again. Its jobs wait meanwhile.
    pub(super) fn renew(&mut self, digest: Digest) {
        if self.renewing.insert(digest) {
            let (renewal, itself) = (self.code.renew(digest), self.itself.clone());
            tokio::spawn(async move {
                // In a task of its own, so that its panic is not ours.
                let _ = tokio::spawn(renewal).await;
                if let Some(itself) = itself.upgrade() {
                    let _ = itself.send(Message::Renewed { digest });
                }
            });
        }
    }

    /// Takes in that the compiled code is there again, or cannot be had.
    pub(super) fn renewed(&mut self, digest: Digest) {
        self.renewing.remove(&digest);
        self.pump();
    }
}
