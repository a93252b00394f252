//! The overlord's books: every transaction on its tables.
//!
//! A command holds the store only for as long as a transaction takes, so that other commands see a job while this one
//! works on it; a daemon keeps it open. A transaction reads before it writes and moves each host by the rules of
//! [`state`](super::state), so it makes no difference how many processes learn of a result, or in which order.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use super::{
    Error, HostState, HostView, JobLine, JobRecord, JobView, Progress,
    lock::JobLock,
    record::{Jobs, Map, Mapped, ProgressRows, States},
    state::{Event, step},
};
use crate::{
    ca::Host,
    fleet::{Outcome, Selection},
    ids::{HostName, MinionJobId, OverlordJobId},
    store::{SetAside, Store, Tables, once},
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

/// A job with everything that is needed to work on it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) record: JobRecord,
    pub(super) progress: Progress,
    pub(super) parts: Vec<Part>,
}

/// One host's part of a job, to be worked on.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) host: Host,
    pub(super) job: MinionJobId,
    pub(super) state: HostState,
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
        selection: Selection,
    ) -> Result<(OverlordJobId, JobLock), Error> {
        let locks = self.inner.locks.clone();
        self.act(move |tables| plan(tables, &locks, record, &selection)).await
    }

    /// Moves hosts by what was learned about them.
    pub(super) async fn record(&self, id: &OverlordJobId, events: Vec<(HostName, Event)>) -> Result<(), Error> {
        let id = id.clone();
        self.act(move |tables| record(tables, &id, &events, Timestamp::now())).await
    }

    /// Notes that the job was handed out.
    pub(super) async fn fanned_out(&self, id: &OverlordJobId) -> Result<(), Error> {
        let id = id.clone();
        self.act(move |tables| {
            let mut progress = progress(tables, &id)?;
            progress.fanned_out.get_or_insert_with(Timestamp::now);
            Ok(tables.put::<ProgressRows>(&id, &progress)?)
        })
        .await
    }

    /// The job as it is shown.
    pub(super) async fn view(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        let (id, locks) = (id.clone(), self.inner.locks.clone());
        self.act(move |tables| view(tables, &locks, &id)).await
    }

    /// The job as it is worked on.
    pub(super) async fn work(&self, id: &OverlordJobId) -> Result<Work, Error> {
        let id = id.clone();
        self.act(move |tables| work(tables, &id)).await
    }

    /// Every job, oldest first.
    pub(super) async fn list(&self) -> Result<Vec<JobLine>, Error> {
        let locks = self.inner.locks.clone();
        self.act(move |tables| list(tables, &locks)).await
    }

    /// Takes the lock of a job.
    pub(super) fn lock(&self, id: &OverlordJobId) -> Result<JobLock, Error> {
        JobLock::take(&self.inner.locks, id)
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
        task.await.unwrap_or(Err(Error::Store(crate::store::Error::Closed)))
    }
}

fn plan(
    tables: &mut Tables<'_>,
    locks: &Path,
    mut record: JobRecord,
    selection: &Selection,
) -> Result<(OverlordJobId, JobLock), Error> {
    let mut repeat = 0;
    let name = |repeat| OverlordJobId::new(&record.target, &record.method, record.submitted, repeat);
    while tables.contains::<Jobs>(&name(repeat))? {
        repeat += 1;
    }
    let id = name(repeat);
    let lock = JobLock::take(locks, &id)?;
    let asked = selection.hosts.iter().map(|host| (host, Some(MinionJobId::fresh()), None));
    let skipped = selection.skipped.iter().map(|(host, reason)| (host, None, Some(*reason)));
    record.hosts = selection.len();
    let now = record.submitted;
    let mut progress = Progress { open: selection.hosts.len(), ..Progress::default() };
    for (host, job, skip) in asked.chain(skipped) {
        let key = (id.clone(), host.name.clone());
        tables.put::<Map>(&key, &Mapped { address: host.address.clone(), job })?;
        if let Some(reason) = skip {
            let outcome = Outcome::Skipped(reason);
            progress.summary.add(&outcome);
            tables.put::<States>(&key, &HostState::Done { at: now, outcome })?;
        }
    }
    if progress.open == 0 {
        progress.ended = Some(now);
    }
    tables.put::<Jobs>(&id, &record)?;
    tables.put::<ProgressRows>(&id, &progress)?;
    Ok((id, lock))
}

fn record(
    tables: &mut Tables<'_>,
    id: &OverlordJobId,
    events: &[(HostName, Event)],
    now: Timestamp,
) -> Result<(), Error> {
    let rules = job(tables, id)?.rules();
    let mut progress = progress(tables, id)?;
    let before = progress;
    for (host, event) in events {
        let key = (id.clone(), host.clone());
        let Some(mapped) = tables.get::<Map>(&key)? else { continue };
        let state = tables.get::<States>(&key)?.unwrap_or(HostState::Planned);
        let Some(new) = step(&state, event, mapped.job.as_ref(), &rules, now) else { continue };
        if let Some(outcome) = new.outcome() {
            progress.summary.add(outcome);
            progress.open = progress.open.saturating_sub(1);
        }
        tables.put::<States>(&key, &new)?;
    }
    if progress.open == 0 {
        progress.ended.get_or_insert(now);
    }
    if progress != before {
        tables.put::<ProgressRows>(id, &progress)?;
    }
    Ok(())
}

fn view(tables: &mut Tables<'_>, locks: &Path, id: &OverlordJobId) -> Result<JobView, Error> {
    let (record, progress, hosts) = whole(tables, id)?;
    let hosts = hosts.into_iter().map(|(host, mapped, state)| {
        let view = HostView { minion_job: mapped.job, state, unasked: None };
        (host, view)
    });
    let interrupted = is_interrupted(&progress, locks, id);
    Ok(JobView { id: id.clone(), record, progress, interrupted, hosts: hosts.collect() })
}

fn work(tables: &mut Tables<'_>, id: &OverlordJobId) -> Result<Work, Error> {
    let (record, progress, hosts) = whole(tables, id)?;
    let part = |(name, mapped, state): (HostName, Mapped, HostState)| {
        Some(Part { host: Host { name, address: mapped.address }, job: mapped.job?, state })
    };
    Ok(Work { record, progress, parts: hosts.into_iter().filter_map(part).collect() })
}

fn list(tables: &mut Tables<'_>, locks: &Path) -> Result<Vec<JobLine>, Error> {
    let mut progress: BTreeMap<_, _> = tables.all::<ProgressRows>()?.into_iter().collect();
    let mut lines = Vec::new();
    for (id, record) in tables.all::<Jobs>()? {
        let progress = progress.remove(&id).unwrap_or_default();
        let interrupted = is_interrupted(&progress, locks, &id);
        lines.push(JobLine { id, submitted: record.submitted, progress, hosts: record.hosts, interrupted });
    }
    lines.sort_by(|a, b| (a.submitted, &a.id).cmp(&(b.submitted, &b.id)));
    Ok(lines)
}

/// To be asked inside the transaction that read `progress`: whoever hands the job out notes its end before it lets go of
/// the lock, and cannot do so meanwhile.
fn is_interrupted(progress: &Progress, locks: &Path, id: &OverlordJobId) -> bool {
    progress.open > 0 && progress.fanned_out.is_none() && JobLock::is_free(locks, id)
}

type Whole = (JobRecord, Progress, Vec<(HostName, Mapped, HostState)>);

fn whole(tables: &mut Tables<'_>, id: &OverlordJobId) -> Result<Whole, Error> {
    let record = job(tables, id)?;
    let progress = progress(tables, id)?;
    let mut states: BTreeMap<_, _> = tables.under::<States, _, _>(id)?.into_iter().collect();
    let map = tables.under::<Map, _, _>(id)?;
    if map.len() != record.hosts {
        return Err(Error::TornMap { id: id.clone(), found: map.len(), wanted: record.hosts });
    }
    let state = |(host, mapped): (HostName, Mapped)| {
        let state = states.remove(&host).unwrap_or(HostState::Planned);
        (host, mapped, state)
    };
    Ok((record, progress, map.into_iter().map(state).collect()))
}

fn job(tables: &Tables<'_>, id: &OverlordJobId) -> Result<JobRecord, Error> {
    tables.get::<Jobs>(id)?.ok_or_else(|| Error::UnknownJob { id: id.clone() })
}

fn progress(tables: &Tables<'_>, id: &OverlordJobId) -> Result<Progress, Error> {
    tables.get::<ProgressRows>(id)?.ok_or_else(|| Error::UnknownJob { id: id.clone() })
}
