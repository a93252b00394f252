//! The minion's handle to its jobs.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    cgroups::Cgroups,
    code::CompiledCode,
    error::{Error, JournalError, SubmitError},
    fence::Calling,
    history::History,
    index::Index,
    journal,
    log::{self, LogPiece},
    message::{Cancelling, Known, Message},
    owner::{Owner, path_of},
    record::{Call, End, fingerprint},
    recover::recover,
    report::{JobReport, JobState, Listing},
    retention::{JumpGuard, Retention},
    spawner::ForkServerCommand,
    spawners::Spawners,
    watch::Closings,
};
use crate::{
    access::Grant,
    ids::{Digest, MethodName, MinionJobId, OverlordJobId},
    plugin::{Budget, Limits},
    sys::{
        clock::BootId,
        durable,
        lock::{self, Attempt},
    },
    wire::Value,
};

/// A deadline beyond ten years is taken for ten years, so that no clock overflows.
const DEADLINE_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// How long somebody who cancels a job waits for its end: a little longer than its worker is pursued.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// How jobs are kept and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsConfig {
    /// The folder of the jobs' files, for this minion alone.
    pub folder: PathBuf,
    /// The folder in which modules keep what they keep; without one they keep nothing.
    pub state: Option<PathBuf>,
    /// Where each job gets a control group of its own, if it gets one.
    pub cgroups: Option<Cgroups>,
    /// Workers at a time.
    pub workers_max: usize,
    /// Jobs that wait for a worker; beyond, the answer is "busy".
    pub queue_max: usize,
    /// For how long ended jobs are kept.
    pub retention: Retention,
    /// How the process that makes workers is started.
    pub fork_server: ForkServerCommand,
}

impl JobsConfig {
    /// The usual numbers.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            state: None,
            cgroups: None,
            workers_max: 64,
            queue_max: 1024,
            retention: Retention::default(),
            fork_server: ForkServerCommand::default(),
        }
    }
}

/// A call to be made in the background.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The id that the caller chose; without one the minion chooses.
    pub id: Option<MinionJobId>,
    /// The common name of the caller's certificate. Only it can ask for the job.
    pub owner: String,
    /// The overlord's job that this is a part of.
    pub overlord_job: Option<OverlordJobId>,
    /// What to call.
    pub method: MethodName,
    /// With what. They have been checked against the method.
    pub args: Vec<Value>,
    /// The component that has the method.
    pub digest: Digest,
    /// What the module may touch.
    pub grant: Grant,
    /// The operator's settings for the module.
    pub settings: BTreeMap<String, String>,
    /// How much the call may use.
    pub limits: Limits,
    /// How long it may take, counted from its acceptance.
    pub deadline: Duration,
}

/// The jobs of a minion. Cheap to clone; the last one dropped ends the task behind it.
#[derive(Clone)]
pub struct Jobs {
    folder: Arc<Path>,
    boot: BootId,
    messages: mpsc::UnboundedSender<Message>,
    /// Held for as long as the jobs are in use.
    _folder_lock: Arc<File>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Jobs {
    /// Takes the folder, starts the fork server and recovers every job on the disk: those that wait are
    /// spawned, those whose workers live are watched, those whose workers died are recorded as lost.
    pub async fn open(config: JobsConfig, code: Arc<dyn CompiledCode>) -> Result<Self, Error> {
        let JobsConfig { folder, state, cgroups, workers_max, queue_max, retention, fork_server } = config;
        let boot = BootId::current();
        let at = |source| Error::Folder { path: folder.clone(), source };
        durable::create_folder(&folder, 0o700).map_err(at)?;
        let folder_lock = File::open(&folder).map_err(at)?;
        if lock::try_exclusive(&folder_lock).map_err(at)? == Attempt::Busy {
            return Err(Error::InUse { path: folder });
        }
        // Watched before anything is looked at, so that nothing is missed in between.
        let closings = Closings::of(&folder).inspect_err(
            |error| tracing::warn!(%error, "cannot watch the folder of jobs; looking every second instead"),
        );
        let (scanned, groups) = (folder.clone(), cgroups.clone());
        let found = tokio::task::spawn_blocking(move || recover(&scanned, boot, groups.as_ref())).await;
        let found = found.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(at)?;

        let (answers, workers) = mpsc::unbounded_channel();
        let likely = if cgroups.is_some() { Calling::Any } else { Calling::Ordinary };
        let spawners = Spawners::start(&fork_server, likely, &answers)?;
        let (messages, incoming) = mpsc::unbounded_channel();
        let folder_lock = Arc::new(folder_lock);
        let owner = Owner {
            folder: folder.clone(),
            state,
            boot,
            cgroups,
            workers_max: workers_max.max(1),
            queue_max: queue_max.max(1),
            retention,
            code,
            renewing: std::collections::HashSet::new(),
            messages: incoming,
            itself: messages.downgrade(),
            workers,
            spawners,
            closings: closings.ok(),
            index: Index::default(),
            queue: std::collections::VecDeque::new(),
            births: 0,
            fetched: Vec::new(),
            acknowledging: false,
            background: 0,
            places_taken: 0,
            closing: Vec::new(),
            jumps: JumpGuard::new(boot.now()),
            swept: None,
            _folder_lock: Arc::clone(&folder_lock),
        };
        tokio::spawn(owner.run(found));
        Ok(Self { folder: folder.into(), boot, messages, _folder_lock: folder_lock })
    }

    /// Accepts a call. When this returns, the job is durable, and runs once whatever happens.
    ///
    /// The same call with the same id by the same caller is the same job, whether it is running or has
    /// ended.
    pub async fn submit(&self, submission: Submission) -> Result<MinionJobId, SubmitError> {
        let call = Call {
            id: submission.id.unwrap_or_else(MinionJobId::fresh),
            owner: submission.owner,
            overlord_job: submission.overlord_job,
            method: submission.method,
            args: submission.args,
            digest: submission.digest,
            grant: submission.grant,
            settings: submission.settings,
            limits: submission.limits,
            deadline: submission.deadline.min(DEADLINE_MAX),
            accepted: self.boot.now(),
        };
        let submitted = self.ask(|reply| Message::Submit { call: Box::new(call), reply }).await;
        submitted.unwrap_or(Err(SubmitError::ShuttingDown))
    }

    /// Whether such a call by such a caller is this job already, or, as an error, why it cannot become it.
    /// Nothing is begun and nothing counts as acknowledged.
    pub async fn knows(
        &self,
        id: &MinionJobId,
        owner: &str,
        method: &MethodName,
        args: &[Value],
    ) -> Result<bool, SubmitError> {
        let (id, owner, fingerprint) = (id.clone(), owner.to_owned(), fingerprint(method, args));
        let known = self.ask(|reply| Message::Knows { id, owner, fingerprint, reply }).await;
        known.unwrap_or(Err(SubmitError::ShuttingDown))
    }

    /// What is known of a job. `None`: there is none of this id that belongs to this caller.
    ///
    /// A result that was given out counts as fetched.
    pub async fn status(&self, id: &MinionJobId, owner: &str) -> Result<Option<JobReport>, Error> {
        match self.find(id, owner).await? {
            Some(known) => self.report(id, known).await,
            None => Ok(None),
        }
    }

    /// Like [`Jobs::status`], answered when the job ends or when the time is over.
    pub async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Result<Option<JobReport>, Error> {
        let Some(mut known) = self.find(id, owner).await? else { return Ok(None) };
        let Some(end) = known.end.take() else { return self.report(id, known).await };
        match tokio::time::timeout(time, end).await {
            Ok(Ok(end)) => Ok(Some(self.ended(id, known, Arc::unwrap_or_clone(end)))),
            // The time is over, or the end is in the file only.
            _ => self.status(id, owner).await,
        }
    }

    /// Ends a job, with everything that it has started, and answers what became of it: the result that it had by then, or
    /// that it was cancelled; that it still runs, if it could not be ended in some seconds (which goes on). An id that
    /// nobody has submitted counts as cancelled from now on. `None`: there is none of this id that belongs to this caller.
    pub async fn cancel(&self, id: &MinionJobId, owner: &str) -> Result<Option<JobState>, Error> {
        let (wanted, who) = (id.clone(), owner.to_owned());
        match self.ask(|reply| Message::Cancel { id: wanted, owner: who, reply }).await?? {
            None => Ok(None),
            Some(Cancelling::NeverBegan) => Ok(Some(JobState::Cancelled)),
            Some(Cancelling::Begun(known)) => {
                if let Some(end) = known.end {
                    let _ = tokio::time::timeout(CANCEL_PATIENCE, end).await;
                }
                Ok(self.status(id, owner).await?.map(|report| report.state))
            }
        }
    }

    /// The last 50 lines of the job's log: those below `warn`, and those from `warn` up.
    pub async fn tail_output(&self, id: &MinionJobId, owner: &str) -> Result<Option<(String, String)>, Error> {
        Ok(self.look(id, owner).await?.map(|(_, history)| log::tails(&history)))
    }

    /// How far the method says it has come, of how much; `(0, 0)` when it has said nothing.
    pub async fn progress(&self, id: &MinionJobId, owner: &str) -> Result<Option<(u64, u64)>, Error> {
        let progress = |history: History| history.progress.map(|p| (p.done, p.total.unwrap_or(0)));
        Ok(self.look(id, owner).await?.map(|(_, history)| progress(history).unwrap_or((0, 0))))
    }

    /// The job's log from an offset on, as much as fits into one answer.
    pub async fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> Result<Option<LogPiece>, Error> {
        Ok(self.look(id, owner).await?.map(|(known, history)| log::piece(&history, offset, known.end.is_none())))
    }

    /// What an ended job has used; `None` inside while it runs, and where its worker did not say.
    pub async fn budget(&self, id: &MinionJobId, owner: &str) -> Result<Option<Option<Budget>>, Error> {
        Ok(self.look(id, owner).await?.map(|(_, history)| history.budget.map(|budget| *budget)))
    }

    /// Every job of this caller that is not forgotten, with its status, the oldest first.
    pub async fn list(&self, owner: &str) -> Result<Vec<Listing>, Error> {
        let owner = owner.to_owned();
        self.ask(|reply| Message::List { owner, reply }).await
    }

    /// The components whose compiled code jobs still need: it must not be collected.
    pub async fn digests_in_use(&self) -> Result<Vec<Digest>, Error> {
        self.ask(|reply| Message::DigestsInUse { reply }).await
    }

    /// Takes no more jobs and ends the fork server. Workers live on; what waits is found at the next start.
    pub async fn shutdown(&self) {
        let _ = self.ask(|reply| Message::Shutdown { reply }).await;
        // The task answers by ending, so the channel closes.
        self.messages.closed().await;
    }

    async fn find(&self, id: &MinionJobId, owner: &str) -> Result<Option<Known>, Error> {
        let (id, owner) = (id.clone(), owner.to_owned());
        self.ask(|reply| Message::Find { id, owner, reply }).await?
    }

    async fn report(&self, id: &MinionJobId, known: Known) -> Result<Option<JobReport>, Error> {
        if known.end.is_some() {
            return Ok(Some(known.into_report(id, JobState::Running)));
        }
        match self.read(id).await? {
            Some(History { ended: Some(ended), .. }) => Ok(Some(self.ended(id, known, ended.end))),
            // Purged between the question and the answer.
            None | Some(History { tombstone: Some(_), .. }) => Ok(None),
            Some(_) => Err(Error::Unreadable { id: id.clone() }),
        }
    }

    /// What is told of a job that has ended. From then on it counts as fetched.
    fn ended(&self, id: &MinionJobId, known: Known, end: End) -> JobReport {
        let _ = self.messages.send(Message::Fetched { id: id.clone() });
        known.into_report(id, end.into())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) async fn look(&self, id: &MinionJobId, owner: &str) -> Result<Option<(Known, History)>, Error> {
        let Some(known) = self.find(id, owner).await? else { return Ok(None) };
        Ok(self.read(id).await?.map(|history| (known, history)))
    }

    /// Reads a job's file; `None` when it is gone.
    async fn read(&self, id: &MinionJobId) -> Result<Option<History>, Error> {
        let path = path_of(&self.folder, id);
        let read = tokio::task::spawn_blocking(move || journal::read(&path).map_err(JournalError::into_io)).await;
        match read.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(history) => Ok(Some(history)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Folder { path: path_of(&self.folder, id), source }),
        }
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.messages.send(message(reply)).map_err(|_| Error::ShutDown)?;
        answer.await.map_err(|_| Error::ShutDown)
    }
}
