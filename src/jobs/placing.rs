//! Giving jobs to workers while there are places for them.

use std::{collections::VecDeque, os::fd::OwnedFd, time::Duration};

use tokio::time::Instant;

use super::{
    index::{Job, Phase},
    message::{Done, Message},
    owner::{Owner, Queued},
    record::{End, Record},
    request::Request,
    settle,
    spawner::{HandOver, Spawned},
    watch::pipe_end,
};
use crate::{ids::MinionJobId, sys::descriptor};

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
        let job = self.index.job(&next.id)?;
        if next.not_before.is_some_and(|time| Instant::now() < time) {
            return Some(next);
        }
        let Some(compiled) = (self.compiled)(&job.digest) else {
            let since = *next.without_code.get_or_insert_with(Instant::now);
            if since.elapsed() < CODE_PATIENCE {
                return Some(next);
            }
            let why = format!("its module ({}) is no longer installed", job.digest.short());
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
        // Counted before it happens. Not durable: at worst a power cut grants one more attempt.
        if let Err(error) = next.journal.append(&Record::HandOver(self.boot.now())) {
            tracing::warn!(job = %next.id, error = &error as &dyn std::error::Error, "cannot note a hand-over");
        }
        job.phase = Phase::HandedOver { worker: None };
        self.places_taken += 1;
        self.tell_when_gone(next.id.clone(), reading);
        let request = Request { id: next.id, compiled };
        // Were the other side gone, the pipe's end would bring the job back here.
        let _ = self.hand_overs.send(HandOver { request, journal: next.journal, completion });
        None
    }

    /// Records the end of a job that no worker ever had.
    fn end_unbegun(&mut self, next: Queued, end: End) {
        let Queued { id, journal, .. } = next;
        if let Some(job) = self.index.job(&id) {
            job.phase = Phase::Settling;
            self.places_taken += 1;
            let boot = self.boot;
            self.in_background(
                move || settle::end_unbegun(journal, boot, end),
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
    pub(super) fn note_worker(&mut self, Spawned { reply, pidfd }: Spawned) {
        match reply.worker {
            Ok(_) => {
                if let Some(Job { phase: Phase::HandedOver { worker }, .. }) = self.index.job(&reply.id) {
                    *worker = pidfd;
                }
            }
            Err(why) => tracing::error!(job = %reply.id, why, "the fork server could not make a worker"),
        }
    }
}
