//! Ending the worker of a job that its owner cancels.
//!
//! ```text
//!          intent durable      signal: job.cancelled, SIGTERM to its programs      grace over: SIGKILL
//! running ───────────────▶ asked ──────────────────────────────────────▶ asked ──────────────────────▶ gone
//!                            │ the worker records an end by itself         │       lock free: read again
//!                            └───────────────▶ gone ◀────────────────────┘   a result wins, else cancelled
//! ```
//!
//! The worker is known by what it wrote into its journal. That number is its own, and nobody else's by now, if the
//! journal's lock is still held once we hold the process by descriptor, and the process is not younger than
//! what it wrote. Before it is killed it stands still, so that it starts nothing more, and all that descends
//! from it ends first. Then its control group is ended, where it has one.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{
    cgroups::{self, Cgroups},
    error::JournalError,
    intent::Intent,
    journal,
    record::Started,
    settle::{self, Settled},
    state::{InHand, Lock},
};
use crate::sys::{alarm::CANCEL, cgroup::Leaf, clock::BootId, family, pidfd::PidFd};

/// How long a worker has to end by itself: its guest, its programs (half a second after SIGTERM), its last record.
const GRACE: Duration = Duration::from_secs(2);
/// How long what was killed may take to be gone. Processes that hang in the kernel stay until it lets them go.
const GONE: Duration = Duration::from_secs(5);
/// How often a lock that is held is looked at again.
const LOOK: Duration = Duration::from_millis(10);
/// The system tells a process's start in hundredths of a second.
const TICK: Duration = Duration::from_millis(20);

/// Ends the job with this journal and finds out what became of it. `Held`: its worker could not be ended now.
pub(super) fn end(path: &Path, boot: BootId, cgroups: Option<&Cgroups>) -> Result<Settled, JournalError> {
    let group = cgroups.and_then(|cgroups| cgroups.of_journal(path)).filter(Leaf::exists);
    let mut asked = None;
    let begun = Instant::now();
    loop {
        let (lock, history) = journal::probe(path, LOOK)?;
        if lock == Lock::Free {
            return settle::settle(path, boot, Duration::ZERO, None, Intent::Cancel, InHand::Nothing);
        }
        // Without STARTED the fork server has it still; it will be begun or given back in a moment.
        match history.started.and_then(|started| Worker::of(path, &started, boot)) {
            Some(worker) if asked.is_none() => {
                worker.ask();
                asked = Some(Instant::now());
            }
            Some(worker) if asked.is_some_and(|asked| asked.elapsed() > GRACE) => worker.kill(group.as_ref()),
            _ => {}
        }
        if begun.elapsed() > GRACE + GONE {
            return Ok(Settled::Held);
        }
    }
}

/// A job's worker, held by descriptor.
struct Worker {
    pid: u32,
    start: Duration,
    process: PidFd,
}

impl Worker {
    /// The process that wrote STARTED, if it lives.
    fn of(path: &Path, started: &Started, boot: BootId) -> Option<Self> {
        if started.at.boot != boot {
            return None;
        }
        let process = PidFd::open(started.pid).ok()?;
        let start = family::started(started.pid).ok().filter(|start| *start <= started.at.since_boot + TICK)?;
        // Asked last: the lock's holder was there all the time, so the number was its.
        let is_held = journal::probe(path, Duration::ZERO).is_ok_and(|(lock, _)| lock == Lock::Held);
        is_held.then_some(Self { pid: started.pid, start, process })
    }

    /// Asks it to end.
    fn ask(&self) {
        let _ = self.process.signal(CANCEL);
    }

    /// Ends it, everything that descends from it and everybody in its group.
    fn kill(&self, group: Option<&Leaf>) {
        // It may have ended meanwhile, and then all of this finds nobody.
        let _ = self.process.signal(Signal::SIGSTOP);
        // Whoever forks faster than its family is found is in the group all the same.
        let patience = if group.is_some() { LOOK } else { GONE };
        let ended = family::kill_descendants(self.pid, self.start, patience);
        if let Some(group) = group {
            cgroups::end(group);
        } else if let Err(error) = ended {
            tracing::error!(worker = self.pid, %error, "programs of a cancelled job live on");
        }
        let _ = self.process.signal(Signal::SIGKILL);
    }
}
