//! The overlord's books, and how they are opened.
//!
//! A command holds the store only for as long as a transaction takes, so that other commands see a job while this one
//! works on it; a daemon keeps it open. The transactions themselves are in [`transactions`](super::transactions).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use super::{
    Error, JobList, JobPlan, JobRecord, JobView,
    lock::{JobLock, announce_cancel, is_cancel_announced},
    rolling::advance,
    state::Event,
    transactions::{Work, cancel, fanned_out, list, plan, record, view, work},
};
use crate::{
    fleet::{Selection, Stage},
    ids::{HostName, OverlordJobId},
    store::{self, SetAside, Store, Tables, once},
};

/// The books, and how they are opened. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    access: Access,
    locks: PathBuf,
    set_aside: Mutex<Vec<SetAside>>,
    /// Transactions of one process queue here, where waiting costs no thread.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Access {
    Kept(Store),
    Short(PathBuf),
}

impl Ledger {
    /// Books that are opened for each transaction.
    pub(super) fn short(folder: &Path) -> Self {
        Self::new(folder, Access::Short(folder.to_owned()), Vec::new())
    }

    /// Books that are kept open.
    pub(super) fn kept(folder: &Path) -> Result<Self, Error> {
        let (store, opening) = Store::open(folder)?;
        Ok(Self::new(folder, Access::Kept(store), opening.set_aside.into_iter().collect()))
    }

    fn new(folder: &Path, access: Access, set_aside: Vec<SetAside>) -> Self {
        let (locks, set_aside) = (folder.join("locks"), Mutex::new(set_aside));
        Self { inner: Arc::new(Inner { access, locks, set_aside, turn: tokio::sync::Mutex::default() }) }
    }

    /// The damaged stores that were met since the last call.
    pub(super) fn take_set_aside(&self) -> Vec<SetAside> {
        let mut found = std::mem::take(&mut *self.inner.set_aside.lock().unwrap_or_else(PoisonError::into_inner));
        if let Access::Kept(store) = &self.inner.access {
            found.extend(store.take_set_aside());
        }
        found
    }

    /// Writes a new job with its whole map, and takes its lock before anybody can see it.
    pub(super) async fn plan(
        &self,
        record: JobRecord,
        how: JobPlan,
        selection: Selection,
        submitter: String,
    ) -> Result<(OverlordJobId, JobLock), Error> {
        let locks = self.inner.locks.clone();
        self.act(move |tables| plan(tables, &locks, record, &how, &selection, &submitter)).await
    }

    /// Moves a job's fan-out on as far as it goes.
    pub(super) async fn advance(&self, id: &OverlordJobId) -> Result<(Stage, Work), Error> {
        let (id, locks) = (id.clone(), self.inner.locks.clone());
        self.act(move |tables| advance(tables, &locks, &id, Timestamp::now())).await
    }

    /// Moves hosts by what was learned about them. Answers whether the job is cancelled.
    pub(super) async fn record(&self, id: &OverlordJobId, events: Vec<(HostName, Event)>) -> Result<bool, Error> {
        let id = id.clone();
        self.act(move |tables| record(tables, &id, &events, Timestamp::now())).await
    }

    /// Notes that the job was handed out, and answers how it stands.
    pub(super) async fn fanned_out(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        let (id, locks) = (id.clone(), self.inner.locks.clone());
        self.act(move |tables| fanned_out(tables, &locks, &id, Timestamp::now())).await
    }

    /// Notes that a job is to end, and with it the end of all hosts that were sent nothing.
    pub(super) async fn cancel(&self, id: &OverlordJobId) -> Result<(), Error> {
        self.must_exist()?;
        let wanted = id.clone();
        self.act(move |tables| cancel(tables, &wanted, Timestamp::now())).await?;
        // It is true without this, too.
        let _ = announce_cancel(&self.inner.locks, id);
        Ok(())
    }

    /// Whether somebody has cancelled a job since we began to hand it out.
    pub(super) fn is_cancel_announced(&self, id: &OverlordJobId) -> bool {
        is_cancel_announced(&self.inner.locks, id)
    }

    /// The job as it is shown.
    pub(super) async fn view(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        self.must_exist()?;
        let (id, locks) = (id.clone(), self.inner.locks.clone());
        self.act(move |tables| view(tables, &locks, &id)).await
    }

    /// The job as it is worked on.
    pub(super) async fn work(&self, id: &OverlordJobId) -> Result<Work, Error> {
        self.must_exist()?;
        let (id, locks) = (id.clone(), self.inner.locks.clone());
        self.act(move |tables| work(tables, &locks, &id)).await
    }

    /// Every job, or every one of a host, oldest first.
    pub(super) async fn list(&self, host: Option<HostName>) -> Result<JobList, Error> {
        if let Err(Error::NoStore { path }) = self.must_exist() {
            return Ok(JobList { missing: Some(path), ..JobList::default() });
        }
        let locks = self.inner.locks.clone();
        self.act(move |tables| list(tables, &locks, host.as_ref())).await
    }

    /// Takes the lock of a job.
    pub(super) fn lock(&self, id: &OverlordJobId) -> Result<JobLock, Error> {
        JobLock::take(&self.inner.locks, id)
    }

    /// Whoever only reads makes no store: in the wrong place it would look like one without jobs.
    fn must_exist(&self) -> Result<(), Error> {
        match &self.inner.access {
            Access::Short(path) if !store::exists(path) => Err(Error::NoStore { path: path.clone() }),
            _ => Ok(()),
        }
    }

    /// Where the locks of jobs are.
    pub(super) fn locks(&self) -> &Path {
        &self.inner.locks
    }

    /// A transaction of another part of the overlord, which may be the first one of all.
    pub(super) async fn begin<R, F>(&self, act: F) -> Result<R, Error>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        self.act(act).await
    }

    /// A transaction of another part of the overlord.
    pub(super) async fn transact<R, F>(&self, act: F) -> Result<R, Error>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        self.must_exist()?;
        self.act(act).await
    }

    async fn act<R, F>(&self, act: F) -> Result<R, Error>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let folder = match &self.inner.access {
            Access::Kept(store) => return store.act(act).await,
            Access::Short(folder) => folder.clone(),
        };
        let _turn = self.inner.turn.lock().await;
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let (result, opening) = once(&folder, act);
            inner.set_aside.lock().unwrap_or_else(PoisonError::into_inner).extend(opening.set_aside);
            result
        });
        task.await.unwrap_or(Err(Error::Store(store::Error::Closed)))
    }
}
