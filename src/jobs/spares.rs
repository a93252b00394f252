//! Workers that are made before there is a job for them.
//!
//! A job that comes when nothing else does need not wait for two forks: they were made while there was nothing to do. Such
//! a process is what a worker is right after its birth, and waits. It is given the job by the fork server, which has counted the
//! attempt as ever, and does everything else itself, so all that is said of workers holds for it. It ends without a trace
//! when the fork server closes its socket: by its own end, when no job came for a while, and when it loads code that the
//! waiting ones do not have. While jobs come one upon the other none is made ahead.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use super::{
    request::{Arrived, Request},
    worker::Task,
};
use crate::sys::{seqpacket::SeqPacket, title};

/// How many wait.
const MOST: usize = 2;
/// Nothing has come for so long: by now the last job runs, and nobody else wants the processor for one.
const QUIET: Duration = Duration::from_millis(2);
/// Without jobs for so long none waits any more.
const IDLE: Duration = Duration::from_secs(20);

/// Those that wait, seen from the fork server.
#[derive(Debug, Default)]
pub(super) struct Spares {
    waiting: VecDeque<SeqPacket>,
    /// Whether there were jobs of late.
    wanted: bool,
}

impl Spares {
    /// How long there must be nothing to do before [`Self::place`] is to be asked; nothing while it has no answer.
    pub(super) fn patience(&self) -> Option<Duration> {
        match (self.wanted, self.waiting.len()) {
            (true, ..MOST) => Some(QUIET),
            (false, 0) => None,
            _ => Some(IDLE),
        }
    }

    /// What one more is to wait at. Nothing when there are enough, which nobody wants any more.
    pub(super) fn place(&mut self) -> Option<Place> {
        if self.waiting.len() >= MOST || !self.wanted {
            self.give_up();
            return None;
        }
        let pair = SeqPacket::pair().inspect_err(|_| self.wanted = false);
        let (here, there) = pair.ok()?;
        self.waiting.push_back(here);
        Some(Place(there))
    }

    /// Gives a job to one that waits. `false`: there is none.
    pub(super) fn give(
        &mut self,
        request: &Request,
        task: &Task,
        completion: &OwnedFd,
        secrets: Option<&OwnedFd>,
    ) -> bool {
        self.wanted = true;
        while let Some(spare) = self.waiting.pop_front() {
            // Somebody may have killed it.
            if request.send(&spare, task.as_fd(), completion.as_fd(), secrets.map(AsFd::as_fd)).is_ok() {
                return true;
            }
        }
        false
    }

    /// Lets all of them end. In a forked copy, forgets those of the fork server.
    pub(super) fn let_go(&mut self) {
        self.waiting.clear();
    }

    /// Makes no more until there is a job again.
    pub(super) fn give_up(&mut self) {
        self.wanted = false;
        self.let_go();
    }
}

/// Where one waits, seen from itself.
#[derive(Debug)]
pub(super) struct Place(SeqPacket);

impl Place {
    /// Waits for a job. Nothing when none will come.
    pub(super) fn wait(self) -> Option<Arrived> {
        let _ = title::set("funcd: spare worker");
        Request::read(self.0.receive().ok()??).ok()
    }
}
