//! The task that owns the jobs.
//!
//! It alone decides; it never waits for the disk. What takes time (making a file, looking at a journal,
//! burying) is done on the threads for that, and comes back as a message. Each such piece of work is for
//! one job, and a job's phase says which is under way, so no two are for the same job.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    CompiledPath,
    error::{JournalError, SubmitError},
    index::{Entry, Index, Job, Phase},
    journal::{Birth, Journal},
    message::{Message, SubmitReply},
    record::{Call, End, Record, Tombstone},
    request::Request,
    retention::{JumpGuard, Purge, Retention, plan},
    settle::{self, Found, Settled},
    spawner::{HandOver, Spawned},
    watch::{Closings, pipe_end},
};
use crate::{ids::MinionJobId, sys::clock::BootId, sys::descriptor};

/// How often things are looked at that nobody reports.
const TICK: Duration = Duration::from_secs(1);
/// How often old records are purged.
const SWEEP: Duration = Duration::from_mins(1);
/// How long a journal whose writer should be gone may stay locked before it is left to the ticks.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a job waits for the compiled code of its module to appear again (after a restart it may have
/// to be compiled anew).
const CODE_PATIENCE: Duration = Duration::from_mins(2);

/// The task's state.
pub(super) struct Owner {
    pub(super) folder: PathBuf,
    pub(super) boot: BootId,
    pub(super) workers_max: usize,
    pub(super) queue_max: usize,
    pub(super) retention: Retention,
    pub(super) compiled: CompiledPath,
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
    /// For messages to itself. Weak, so that the task ends when no handle is left.
    pub(super) itself: mpsc::WeakUnboundedSender<Message>,
    pub(super) workers: mpsc::UnboundedReceiver<Spawned>,
    pub(super) hand_overs: mpsc::UnboundedSender<HandOver>,
    pub(super) spawner: JoinHandle<()>,
    pub(super) closings: Option<Closings>,
    pub(super) index: Index,
    pub(super) queue: VecDeque<Queued>,
    pub(super) births: usize,
    pub(super) settling: usize,
    pub(super) places_taken: usize,
    pub(super) closing: Vec<oneshot::Sender<()>>,
    pub(super) jumps: JumpGuard,
    /// When old records were last purged.
    pub(super) swept: Option<Instant>,
}

/// A job that waits for a worker.
#[derive(Debug)]
pub(super) struct Queued {
    id: MinionJobId,
    journal: Journal,
    /// Since when its code is missing.
    without_code: Option<Instant>,
}

impl Owner {
    /// Takes over what was found on the disk, then serves until it is shut down.
    pub(super) async fn run(mut self, found: Vec<Found>) {
        for Found { id, call, settled } in found {
            self.take_over(id, call, settled);
        }
        self.places_taken = self.index.places_taken();
        self.pump();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.handle(message),
                    None => break,
                },
                Some(worker) = self.workers.recv() => self.note_worker(worker),
                ids = next_closings(self.closings.as_ref()) => self.look_at_closed(ids),
                _ = ticks.tick() => self.tick(),
            }
            if !self.closing.is_empty() && self.births == 0 && self.settling == 0 {
                break;
            }
        }
        // Those that wait stay on the disk: their locks are free now, so the next start finds them.
        self.queue.clear();
        drop(self.hand_overs);
        let _ = tokio::time::timeout(PATIENCE, self.spawner).await;
    }

    fn take_over(&mut self, id: MinionJobId, call: Option<Box<Call>>, settled: Settled) {
        let entry = match (settled, call) {
            (Settled::Held, Some(call)) => Entry::Job(Job::new(&call, Phase::Adopted)),
            (Settled::Ended(remembered), Some(call)) => Entry::Job(Job::new(&call, Phase::Ended(remembered))),
            (Settled::Spawn(journal), Some(call)) => {
                self.queue.push_back(Queued { id: id.clone(), journal, without_code: None });
                Entry::Job(Job::new(&call, Phase::Waiting))
            }
            (Settled::Purged(tombstone), _) => Entry::Tombstone(tombstone),
            (Settled::Unreadable | Settled::Held | Settled::Ended(_) | Settled::Spawn(_), _) => {
                tracing::error!(job = %id, "its journal cannot be read; it is left alone, and its id stays taken");
                Entry::Unreadable
            }
        };
        self.index.insert(id, entry);
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Submit { call, reply } => self.submit(call, reply),
            Message::Find { id, owner, reply } => drop(reply.send(self.index.find(&id, &owner))),
            Message::List { owner, reply } => drop(reply.send(self.index.list(&owner))),
            Message::DigestsInUse { reply } => drop(reply.send(self.index.digests_in_use())),
            Message::Fetched { id } => self.acknowledge(id),
            Message::Shutdown { reply } => self.closing.push(reply),
            Message::Born { id, born } => self.born(id, born),
            Message::Gone { id } => self.look(&id, PATIENCE),
            Message::Settled { id, settled } => self.settled(id, settled),
            Message::Purged { id, left } => self.purged(id, left),
        }
    }

    fn submit(&mut self, call: Box<Call>, reply: SubmitReply) {
        let id = call.id.clone();
        let refuse = |reply: SubmitReply, error| drop(reply.send(Err(error)));
        match self.index.get(&id) {
            Some(Entry::Job(job)) if job.is_for(&call) => match &mut job.phase {
                Phase::Birth(waiting) => waiting.push(reply),
                Phase::Burying(_) => refuse(reply, SubmitError::Purged { id }),
                _ => drop(reply.send(Ok(id))),
            },
            Some(Entry::Tombstone(tombstone))
                if tombstone.owner == call.owner && tombstone.fingerprint == call.fingerprint() =>
            {
                refuse(reply, SubmitError::Purged { id });
            }
            Some(_) => refuse(reply, SubmitError::Mismatch { id }),
            None if !self.closing.is_empty() => refuse(reply, SubmitError::ShuttingDown),
            None if self.queue.len() + self.births >= self.queue_max => {
                refuse(reply, SubmitError::Busy { waiting: self.queue.len() + self.births });
            }
            None => {
                self.index.insert(id.clone(), Entry::Job(Job::new(&call, Phase::Birth(vec![reply]))));
                self.births += 1;
                let folder = self.folder.clone();
                self.in_background(move || Message::Born { id, born: Journal::create(&folder, *call) });
            }
        }
    }

    fn born(&mut self, id: MinionJobId, born: Result<Birth, JournalError>) {
        self.births -= 1;
        let Some(job) = self.index.job(&id) else { return };
        let Phase::Birth(replies) = std::mem::replace(&mut job.phase, Phase::Waiting) else { return };
        match born {
            Ok(Birth::New(journal)) => {
                for reply in replies {
                    let _ = reply.send(Ok(id.clone()));
                }
                self.queue.push_back(Queued { id, journal, without_code: None });
                self.pump();
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

    /// Gives waiting jobs to workers while there are places.
    fn pump(&mut self) {
        let mut missing = VecDeque::new();
        while self.closing.is_empty() && self.places_taken < self.workers_max {
            let Some(next) = self.queue.pop_front() else { break };
            if let Some(still_waiting) = self.hand_over(next) {
                missing.push_back(still_waiting);
            }
        }
        // Behind the others: they must not keep them from their workers.
        self.queue.append(&mut missing);
    }

    /// Returns the job when it has to wait on.
    fn hand_over(&mut self, mut next: Queued) -> Option<Queued> {
        let job = self.index.job(&next.id)?;
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

    fn end_unbegun(&mut self, next: Queued, end: End) {
        let Queued { id, journal, .. } = next;
        if let Some(job) = self.index.job(&id) {
            job.phase = Phase::Settling;
            self.places_taken += 1;
            self.settling += 1;
            let boot = self.boot;
            self.in_background(move || Message::Settled { id, settled: settle::end_unbegun(journal, boot, end) });
        }
    }

    fn tell_when_gone(&self, id: MinionJobId, pipe: std::os::fd::OwnedFd) {
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

    fn note_worker(&mut self, Spawned { reply, pidfd }: Spawned) {
        match reply.worker {
            Ok(_) => {
                if let Some(Job { phase: Phase::HandedOver { worker }, .. }) = self.index.job(&reply.id) {
                    *worker = pidfd;
                }
            }
            Err(why) => tracing::error!(job = %reply.id, why, "the fork server could not make a worker"),
        }
    }

    fn look_at_closed(&mut self, ids: io::Result<Vec<MinionJobId>>) {
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
    fn look(&mut self, id: &MinionJobId, patience: Duration) {
        let Some(job) = self.index.job(id) else { return };
        if !matches!(job.phase, Phase::HandedOver { .. } | Phase::Adopted) {
            return;
        }
        job.phase = Phase::Settling;
        self.settling += 1;
        let (id, path, boot) = (id.clone(), self.path(id), self.boot);
        self.in_background(move || Message::Settled { settled: settle::settle(&path, boot, patience), id });
    }

    fn settled(&mut self, id: MinionJobId, settled: Result<Settled, JournalError>) {
        self.settling -= 1;
        let Some(job) = self.index.job(&id) else { return };
        match settled {
            Ok(Settled::Held) => {
                job.phase = Phase::Adopted;
                return;
            }
            Ok(Settled::Ended(remembered)) => job.end(remembered),
            Ok(Settled::Spawn(journal)) => {
                tracing::warn!(job = %id, "its worker never began; it is spawned again");
                job.phase = Phase::Waiting;
                self.queue.push_front(Queued { id, journal, without_code: None });
            }
            Ok(Settled::Purged(tombstone)) => self.index.insert(id, Entry::Tombstone(tombstone)),
            Ok(Settled::Unreadable) => self.index.insert(id, Entry::Unreadable),
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                tracing::error!(job = %id, "its file was removed behind the minion's back");
                self.index.remove(&id);
            }
            Err(error) => {
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot settle a job; trying again");
                job.phase = Phase::Adopted;
                return;
            }
        }
        self.places_taken -= 1;
        self.pump();
    }

    fn acknowledge(&mut self, id: MinionJobId) {
        let (path, boot) = (self.path(&id), self.boot);
        if let Some(Job { phase: Phase::Ended(remembered), .. }) = self.index.job(&id)
            && !remembered.acknowledged
        {
            remembered.acknowledged = true;
            tokio::task::spawn_blocking(move || {
                if let Err(error) = settle::acknowledge(&path, boot) {
                    tracing::warn!(job = %id, error = &error as &dyn std::error::Error, "cannot note that it was fetched");
                }
            });
        }
    }

    fn tick(&mut self) {
        for id in self.index.adopted() {
            self.look(&id, Duration::ZERO);
        }
        self.pump();
        if self.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            self.swept = Some(Instant::now());
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let now = self.boot.now();
        if !self.jumps.trusts(now) {
            tracing::warn!("the clock has jumped; no job is purged for an hour");
            return;
        }
        for (id, purge) in plan(&self.retention, &now, self.index.remains()) {
            let path = self.path(&id);
            match (purge, self.index.get(&id)) {
                (Purge::Bury, Some(Entry::Job(job))) => {
                    let Phase::Ended(remembered) = job.phase else { continue };
                    job.phase = Phase::Burying(remembered);
                    let tombstone = Tombstone { owner: job.owner.clone(), fingerprint: job.fingerprint, purged: now };
                    self.in_background(move || {
                        let left = settle::bury(&path, &tombstone).map(|()| Some(tombstone));
                        Message::Purged { id, left }
                    });
                }
                (Purge::Remove, Some(Entry::Tombstone(_))) => self.in_background(move || {
                    let removed = std::fs::remove_file(&path).map(|()| None);
                    Message::Purged { id, left: removed.map_err(|source| JournalError::io(&path, source)) }
                }),
                _ => {}
            }
        }
    }

    fn purged(&mut self, id: MinionJobId, left: Result<Option<Tombstone>, JournalError>) {
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

    fn in_background(&self, work: impl FnOnce() -> Message + Send + 'static) {
        let itself = self.itself.clone();
        tokio::task::spawn_blocking(move || {
            let message = work();
            if let Some(itself) = itself.upgrade() {
                let _ = itself.send(message);
            }
        });
    }

    fn path(&self, id: &MinionJobId) -> PathBuf {
        path_of(&self.folder, id)
    }
}

/// The file of a job.
pub(super) fn path_of(folder: &Path, id: &MinionJobId) -> PathBuf {
    folder.join(id.as_str())
}

/// The next journals that were closed; never, when nobody watches.
async fn next_closings(closings: Option<&Closings>) -> io::Result<Vec<MinionJobId>> {
    match closings {
        Some(closings) => closings.next().await,
        None => std::future::pending().await,
    }
}
