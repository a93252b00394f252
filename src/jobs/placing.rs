//! Giving jobs to workers while there are places for them.

use std::{collections::VecDeque, io, os::fd::OwnedFd, time::Duration};

use tokio::time::Instant;

use super::{
    index::{Job, Phase},
    message::{Done, Message},
    owner::{Owner, Queued},
    record::End,
    request::Request,
    settle,
    spawner::{HandOver, Spawned},
    watch::pipe_end,
};
use crate::{
    ids::{Digest, MinionJobId},
    sys::{descriptor, memory, pidfd::PidFd},
};

/// How long a job waits for the compiled code of its module to appear again (after a restart it may have
/// to be compiled anew).
const CODE_PATIENCE: Duration = Duration::from_mins(2);

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
        let (reading, completion) = match descriptor::pipe() {
            Ok(pipe) => pipe,
            Err(error) => {
                tracing::error!(%error, "cannot make a pipe for a worker");
                return Some(next);
            }
        };
        let secrets = match self.secrets_of(&next.id) {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::error!(%error, "cannot make memory for what is secret of a job");
                return Some(next);
            }
        };
        self.index.job(&next.id)?.phase = Phase::HandedOver { worker: None };
        self.places_taken += 1;
        self.tell_when_gone(next.id.clone(), reading);
        let request = Request { id: next.id, compiled, state: self.state.clone(), cgroups: self.cgroups.clone() };
        // Were the other side gone, the pipe's end would bring the job back here.
        let _ = self.hand_overs.send(HandOver { request, journal: next.journal, completion, secrets });
        None
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

    /// Sends a message to this task when the pipe ends.
    fn tell_when_gone(&self, id: MinionJobId, pipe: OwnedFd) {
        let itself = self.itself.clone();
        tokio::spawn(async move {
            if let Err(error) = pipe_end(pipe).await {
                tracing::error!(job = %id, %error, "cannot watch a worker; its journal will be looked at");
            }
            if let Some(itself) = itself.upgrade() {
                let _ = itself.send(Message::Gone { id });
            }
        });
    }

    /// Notes who the worker of a job is.
    pub(super) fn note_worker(&mut self, Spawned { reply, descriptors }: Spawned) {
        let Some(Job { phase: phase @ Phase::HandedOver { .. }, .. }) = self.index.job(&reply.id) else { return };
        match reply.worker {
            Ok(_) => *phase = Phase::HandedOver { worker: descriptors.into_iter().next().map(PidFd::from) },
            Err(refusal) => {
                tracing::error!(job = %reply.id, %refusal, "the fork server made no worker");
                // Now the journal is let go and the pipe ends, which brings the job back here.
                *phase = Phase::Refused(refusal);
            }
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
