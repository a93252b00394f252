//! The task that owns the jobs.
//!
//! It alone decides; it never waits for the disk. What takes time (making a file, looking at a journal,
//! burying) is done on the threads for that, and comes back as a message. Each such piece of work is for
//! one job, and a job's phase says which is under way, so no two are for the same job.

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    cgroups::Cgroups,
    code::CompiledCode,
    error::JournalError,
    index::{Entry, Index, Job, Phase},
    journal::Journal,
    message::{Done, Message},
    recover::Found,
    retention::{JumpGuard, Retention},
    settle::Settled,
    spawner::Spawned,
    spawners::Spawners,
    watch::Closings,
};
use crate::{
    ids::{Digest, MinionJobId},
    sys::clock::BootId,
};

/// How often things are looked at that nobody reports.
const TICK: Duration = Duration::from_secs(1);
/// How long a journal whose writer should be gone may stay locked before it is left to the ticks.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// The task's state.
pub(super) struct Owner {
    pub(super) folder: PathBuf,
    /// Where modules keep what they keep.
    pub(super) state: Option<PathBuf>,
    pub(super) boot: BootId,
    /// Where each job gets a control group of its own, if it gets one.
    pub(super) cgroups: Option<Cgroups>,
    pub(super) workers_max: usize,
    pub(super) queue_max: usize,
    pub(super) retention: Retention,
    pub(super) code: Arc<dyn CompiledCode>,
    /// Components whose code is being made again.
    pub(super) renewing: HashSet<Digest>,
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
    /// For messages to itself. Weak, so that the task ends when no handle is left.
    pub(super) itself: mpsc::WeakUnboundedSender<Message>,
    pub(super) workers: mpsc::UnboundedReceiver<Spawned>,
    pub(super) spawners: Spawners,
    pub(super) closings: Option<Closings>,
    pub(super) index: Index,
    pub(super) queue: VecDeque<Queued>,
    pub(super) births: usize,
    /// Jobs whose results were given to their owners, which is yet to be written down.
    pub(super) fetched: Vec<MinionJobId>,
    /// Whether that is being done for others.
    pub(super) acknowledging: bool,
    /// Pieces of work on other threads whose message has not come yet.
    pub(super) background: usize,
    pub(super) places_taken: usize,
    pub(super) closing: Vec<oneshot::Sender<()>>,
    pub(super) jumps: JumpGuard,
    /// When old records were last purged.
    pub(super) swept: Option<Instant>,
    /// Held until the last piece of work is done.
    pub(super) _folder_lock: Arc<File>,
}

/// A job that waits for a worker.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) id: MinionJobId,
    pub(super) journal: Journal,
    /// Since when its code is missing.
    pub(super) without_code: Option<Instant>,
    /// It is not to be handed over before this.
    pub(super) not_before: Option<Instant>,
}

impl Queued {
    /// A job that can be handed over at once.
    pub(super) fn new(id: MinionJobId, journal: Journal) -> Self {
        Self { id, journal, without_code: None, not_before: None }
    }
}

impl Owner {
    /// Takes over what was found on the disk, then serves until it is shut down.
    pub(super) async fn run(mut self, found: Vec<Found>) {
        for found in found {
            self.take_over(found);
        }
        if self.index.reaches_into_another_boot(self.boot) {
            self.jumps.suspend();
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
            if !self.closing.is_empty() && self.background == 0 {
                break;
            }
        }
        // Those that wait stay on the disk: their locks are free now, so the next start finds them.
        self.queue.clear();
        let _ = tokio::time::timeout(PATIENCE, self.spawners.end()).await;
    }

    /// Takes over a job that was found on the disk.
    pub(super) fn take_over(&mut self, Found { id, call, intent, settled }: Found) {
        let mut entry = match (settled, call) {
            (None, _) => Entry::Unread { looking: false },
            (Some(Settled::Held), Some(call)) => Entry::Job(Job::new(&call, Phase::Adopted)),
            (Some(Settled::Ended(remembered, _)), Some(call)) => Entry::Job(Job::new(&call, Phase::Ended(remembered))),
            (Some(Settled::Spawn(journal)), Some(call)) => {
                self.queue.push_back(Queued::new(id.clone(), journal));
                Entry::Job(Job::new(&call, Phase::Waiting))
            }
            (Some(Settled::Purged(tombstone)), _) => Entry::Tombstone(tombstone),
            (Some(Settled::Unreadable | Settled::Held | Settled::Ended(..) | Settled::Spawn(_)), _) => {
                tracing::error!(job = %id, "its journal cannot be read; it is left alone, and its id stays taken");
                Entry::Unreadable
            }
        };
        if let Entry::Job(job) = &mut entry {
            job.intent = intent;
        }
        self.index.insert(id.clone(), entry);
        self.pursue(&id);
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Submit { call, reply } => self.submit(call, reply),
            Message::Knows { id, owner, fingerprint, reply } => {
                drop(reply.send(self.index.knows(&id, &owner, fingerprint)));
            }
            Message::Find { id, owner, reply } => drop(reply.send(self.index.find(&id, &owner))),
            Message::Cancel { id, owner, reply } => self.cancel(id, &owner, reply),
            Message::List { owner, reply } => drop(reply.send(self.index.list(&owner))),
            Message::DigestsInUse { reply } => drop(reply.send(self.index.digests_in_use())),
            Message::Fetched { id } => self.acknowledge(id),
            Message::Shutdown { reply } => self.closing.push(reply),
            Message::Renewed { digest } => self.renewed(digest),
            Message::Gone { id } => self.gone(&id),
            Message::Done(done) => {
                self.background -= 1;
                match done {
                    Done::Born { id, born } => self.born(id, born),
                    Done::Settled { id, settled } => self.settled(id, settled),
                    Done::Tried { found, error } => self.tried(found, error.as_ref()),
                    Done::Purged { id, left } => self.purged(id, left),
                    Done::Intended { id } => self.pursue(&id),
                    Done::Reserved { id, reserved, reply } => self.reserved(id, reserved, reply),
                    Done::Acknowledged => {
                        self.acknowledging = false;
                        self.write_acknowledgements();
                    }
                    Done::Noted => {}
                }
            }
        }
    }

    /// Does what takes time on a thread for that, and tells this task what came of it. A panic in there is
    /// an error of that piece of work like any other, so no job stays in a phase that nobody ends.
    pub(super) fn in_background<T>(
        &mut self,
        work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
        done: impl FnOnce(Result<T, JournalError>) -> Done + Send + 'static,
    ) {
        self.background += 1;
        let itself = self.itself.clone();
        tokio::task::spawn_blocking(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            let result = result.unwrap_or_else(|panic| Err(JournalError::panicked(&*panic)));
            if let Some(itself) = itself.upgrade() {
                let _ = itself.send(Message::Done(done(result)));
            }
        });
    }

    pub(super) fn path(&self, id: &MinionJobId) -> PathBuf {
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

#[cfg(test)]
pub(super) mod tests {
    use std::pin::Pin;

    use super::{
        super::{error::SubmitError, record::Tombstone, samples, settle::Remembered},
        *,
    };
    use crate::wire::JobStatus;

    struct NoCode;

    impl CompiledCode for NoCode {
        fn path(&self, _: &Digest) -> Option<PathBuf> {
            None
        }

        fn renew(&self, _: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async {})
        }
    }

    /// An owner without jobs, workers or a fork server.
    pub(in crate::jobs) struct Faulty {
        pub(in crate::jobs) owner: Owner,
        /// Held, so that its messages arrive.
        _itself: mpsc::UnboundedSender<Message>,
    }

    impl Faulty {
        pub(in crate::jobs) fn new(folder: &Path) -> Self {
            let (sender, messages) = mpsc::unbounded_channel();
            let boot = BootId::current();
            let owner = Owner {
                folder: folder.to_owned(),
                state: None,
                boot,
                cgroups: None,
                workers_max: 1,
                queue_max: 1,
                retention: Retention::default(),
                code: Arc::new(NoCode),
                renewing: HashSet::new(),
                messages,
                itself: sender.downgrade(),
                workers: mpsc::unbounded_channel().1,
                spawners: Spawners::to(mpsc::unbounded_channel().0),
                closings: None,
                index: Index::default(),
                queue: VecDeque::new(),
                births: 0,
                fetched: Vec::new(),
                acknowledging: false,
                background: 0,
                places_taken: 0,
                closing: Vec::new(),
                jumps: JumpGuard::new(boot.now()),
                swept: None,
                _folder_lock: Arc::new(File::open(folder).unwrap()),
            };
            Self { owner, _itself: sender }
        }

        fn has(&mut self, phase: Phase) -> MinionJobId {
            let call = samples::call();
            self.owner.index.insert(call.id.clone(), Entry::Job(Job::new(&call, phase)));
            call.id
        }

        /// Lets a piece of work panic and the owner take in what came of it.
        async fn breaks_off<T: Send + 'static>(
            &mut self,
            done: impl FnOnce(Result<T, JournalError>) -> Done + Send + 'static,
        ) {
            self.owner.in_background(|| panic!("on purpose"), done);
            let message = self.owner.messages.recv().await.unwrap();
            self.owner.handle(message);
            assert_eq!(self.owner.background, 0);
        }
    }

    #[tokio::test]
    async fn work_that_breaks_off_leaves_no_job_in_a_phase_that_nobody_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut faulty = Faulty::new(folder.path());
        let (reply, answer) = oneshot::channel();
        let id = faulty.has(Phase::Birth { replies: vec![reply], early: None });
        faulty.owner.births = 1;
        let born = id.clone();
        faulty.breaks_off(|result| Done::Born { id: born, born: result }).await;
        let refused = answer.await.unwrap().unwrap_err();
        assert!(matches!(&refused, SubmitError::Io { source } if source.to_string().contains("on purpose")));
        assert!((faulty.owner.births, faulty.owner.index.get(&id).is_none()) == (0, true));

        let id = faulty.has(Phase::Settling(None));
        let settling = id.clone();
        faulty.breaks_off(|settled| Done::Settled { id: settling, settled }).await;
        assert!(matches!(faulty.owner.index.job(&id).unwrap().phase, Phase::Adopted), "the ticks look again");

        let at = samples::moment(0);
        let id = faulty.has(Phase::Burying(Remembered {
            at,
            status: JobStatus::Finished,
            fetched: None,
            bytes: 1,
            cancelled: false,
        }));
        let burying = id.clone();
        faulty.breaks_off::<Option<Tombstone>>(|left| Done::Purged { id: burying, left }).await;
        assert!(matches!(faulty.owner.index.job(&id).unwrap().phase, Phase::Ended(_)));
    }
}
