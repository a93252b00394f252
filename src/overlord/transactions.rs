//! Every transaction on the overlord's tables.
//!
//! Each reads before it writes and moves a host only by the rules of [`state`](super::state), so it makes no difference
//! how many processes learn of a result, or in which order.

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;

use super::{
    Error, HostState, HostView, JobLine, JobList, JobPlan, JobRecord, JobView, Progress,
    counting::progress,
    lock::JobLock,
    record::{Attempts, Cancels, Jobs, Map, Mapped, Orders, Plans, ProgressRows, Stages, States, Submitters},
    state::{Event, step},
};
use crate::{
    ca::Host,
    fleet::{Outcome, Selection},
    ids::{HostName, MinionJobId, OverlordJobId},
    store::{Tables, Unreadable},
};

/// A job with everything that is needed to work on it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) view: JobView,
    /// Its hosts, but those that were skipped.
    pub(super) parts: Vec<Part>,
}

/// One host's part of a job, to be worked on.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) host: Host,
    pub(super) job: MinionJobId,
    pub(super) state: HostState,
}

/// Writes a new job with its whole map, and takes its lock before anybody can see it.
pub(super) fn plan(
    tables: &mut Tables<'_>,
    locks: &Path,
    mut record: JobRecord,
    how: &JobPlan,
    selection: &Selection,
    submitter: &str,
) -> Result<(OverlordJobId, JobLock), Error> {
    let mut repeat = 0;
    let name = |repeat| OverlordJobId::new(&record.target, &record.method, record.submitted, repeat);
    while tables.contains::<Jobs>(&name(repeat))? {
        repeat += 1;
    }
    let id = name(repeat);
    let lock = JobLock::take(locks, &id)?;
    let asked = selection.hosts.iter().map(|host| (host, Some(MinionJobId::fresh()), None));
    let skipped = selection.skipped.iter().map(|(host, reason)| (host, None, Some(reason.clone())));
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
    if how.rollout.is_staged() {
        let order = selection.hosts.iter().map(|host| host.name.clone()).collect();
        tables.put::<Orders>(&id, &order)?;
        tables.put::<Stages>(&id, &how.rollout.first(order.len()))?;
    }
    tables.put::<Plans>(&id, how)?;
    tables.put::<Submitters>(&id, &submitter.to_owned())?;
    tables.put::<Jobs>(&id, &record)?;
    tables.put::<ProgressRows>(&id, &progress)?;
    Ok((id, lock))
}

/// Moves hosts by what was learned about them. Answers whether the job is cancelled.
pub(super) fn record(
    tables: &mut Tables<'_>,
    id: &OverlordJobId,
    events: &[(HostName, Event)],
    now: Timestamp,
) -> Result<bool, Error> {
    let cancelled = tables.contains::<Cancels>(id)?;
    let job = job(tables, id)?;
    let rules = job.rules(cancelled);
    let mut progress = progress(tables, id, &job)?;
    let before = progress;
    for (host, event) in events {
        let key = (id.clone(), host.clone());
        let Some(mapped) = tables.get::<Map>(&key)? else { continue };
        let state = tables.get::<States>(&key)?.unwrap_or(HostState::Planned);
        if let Event::Retried(times) = event {
            add_attempts(tables, &key, *times)?;
        }
        let Some(new) = step(&state, event, mapped.job.as_ref(), &rules, now) else { continue };
        match (&state, &new) {
            (HostState::Sent { .. }, HostState::Sent { .. }) => add_attempts(tables, &key, 1)?,
            // It has ended without having been sent.
            (HostState::Planned, HostState::Done { .. }) => tables.put::<Attempts>(&key, &0)?,
            _ => {}
        }
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
    Ok(cancelled)
}

fn add_attempts(tables: &mut Tables<'_>, key: &(OverlordJobId, HostName), more: u32) -> Result<(), Error> {
    let before = tables.get::<Attempts>(key)?.unwrap_or(1);
    Ok(tables.put::<Attempts>(key, &before.saturating_add(more))?)
}

/// Notes that a job is to end, and with it the end of all hosts that were sent nothing: a fan-out that is under way finds
/// them ended, and nobody takes it up again. A job that has ended stays as it is.
pub(super) fn cancel(tables: &mut Tables<'_>, id: &OverlordJobId, now: Timestamp) -> Result<(), Error> {
    let (_, mut progress, hosts, _) = whole(tables, id)?;
    if progress.open == 0 || tables.contains::<Cancels>(id)? {
        return Ok(());
    }
    tables.put::<Cancels>(id, &now)?;
    progress.fanned_out.get_or_insert(now);
    tables.put::<ProgressRows>(id, &progress)?;
    let cancelled: Vec<_> = hosts.into_iter().map(|(host, ..)| (host, Event::Cancelled)).collect();
    record(tables, id, &cancelled, now).map(drop)
}

/// Notes that the job was handed out, and answers how it stands.
pub(super) fn fanned_out(
    tables: &mut Tables<'_>,
    locks: &Path,
    id: &OverlordJobId,
    now: Timestamp,
) -> Result<JobView, Error> {
    let mut progress = progress(tables, id, &job(tables, id)?)?;
    if progress.fanned_out.is_none() {
        progress.fanned_out = Some(now);
        tables.put::<ProgressRows>(id, &progress)?;
    }
    view(tables, locks, id)
}

/// The job as it is shown.
pub(super) fn view(tables: &mut Tables<'_>, locks: &Path, id: &OverlordJobId) -> Result<JobView, Error> {
    let (record, progress, hosts, unreadable) = whole(tables, id)?;
    let mut counted: BTreeMap<HostName, u32> = tables.under::<Attempts, _, _>(id)?.0.into_iter().collect();
    let shown = |(host, mapped, state): (HostName, Mapped, HostState)| {
        let was_sent = mapped.job.is_some() && state != HostState::Planned;
        let attempts = counted.remove(&host).unwrap_or(u32::from(was_sent));
        (host, HostView { minion_job: mapped.job, state, attempts, unasked: None })
    };
    let interrupted = is_interrupted(&progress, locks, id);
    let cancelled = tables.get::<Cancels>(id)?;
    let hosts = hosts.into_iter().map(shown).collect();
    let plan = tables.get::<Plans>(id)?.unwrap_or_default();
    let stage = tables.get::<Stages>(id)?;
    let submitter = tables.get::<Submitters>(id)?;
    Ok(JobView { id: id.clone(), submitter, record, plan, stage, progress, cancelled, interrupted, hosts, unreadable })
}

/// The job as it is worked on.
pub(super) fn work(tables: &mut Tables<'_>, locks: &Path, id: &OverlordJobId) -> Result<Work, Error> {
    let view = view(tables, locks, id)?;
    let mut parts = Vec::with_capacity(view.progress.open);
    for (name, mapped) in tables.under::<Map, _, _>(id)?.0 {
        if let (Some(job), Some(host)) = (mapped.job, view.hosts.get(&name)) {
            parts.push(Part { host: Host { name, address: mapped.address }, job, state: host.state.clone() });
        }
    }
    Ok(Work { view, parts })
}

/// Every job, or every one of a host, oldest first. A row that cannot be read costs its own job, which is named.
pub(super) fn list(tables: &mut Tables<'_>, locks: &Path, host: Option<&HostName>) -> Result<JobList, Error> {
    let (jobs, unreadable) = tables.readable::<Jobs>()?;
    let mut counts: BTreeMap<_, _> = tables.readable::<ProgressRows>()?.0.into_iter().collect();
    // One that cannot be read is not worth a job.
    let mut submitters: BTreeMap<_, _> = tables.readable::<Submitters>()?.0.into_iter().collect();
    let mut lines = Vec::new();
    for (id, record) in jobs {
        if let Some(host) = host
            && !tables.contains::<Map>(&(id.clone(), host.clone()))?
        {
            continue;
        }
        let progress = match counts.remove(&id) {
            Some(progress) => progress,
            None => progress(tables, &id, &record)?,
        };
        let interrupted = is_interrupted(&progress, locks, &id);
        let JobRecord { target, method, submitted, hosts, .. } = record;
        let submitter = submitters.remove(&id);
        lines.push(JobLine { id, submitter, target, method, submitted, progress, hosts, interrupted });
    }
    lines.sort_by(|a, b| (a.submitted, &a.id).cmp(&(b.submitted, &b.id)));
    Ok(JobList { jobs: lines, unreadable, missing: None })
}

/// To be asked inside the transaction that read `progress`: whoever hands the job out notes its end before it lets go of
/// the lock, and cannot do so meanwhile.
pub(super) fn is_interrupted(progress: &Progress, locks: &Path, id: &OverlordJobId) -> bool {
    progress.open > 0 && progress.fanned_out.is_none() && JobLock::is_free(locks, id)
}

type Whole = (JobRecord, Progress, Vec<(HostName, Mapped, HostState)>, BTreeMap<String, String>);

/// A row of a host that cannot be read costs that host alone, which is named with the reason.
fn whole(tables: &mut Tables<'_>, id: &OverlordJobId) -> Result<Whole, Error> {
    let record = job(tables, id)?;
    let progress = progress(tables, id, &record)?;
    let (map, unmapped) = tables.under::<Map, _, _>(id)?;
    let found = map.len() + unmapped.len();
    if found != record.hosts {
        return Err(Error::TornMap { id: id.clone(), found, wanted: record.hosts });
    }
    let (states, stateless) = tables.under::<States, _, _>(id)?;
    let why = |row: Unreadable| (row.key, row.error.to_string());
    let unreadable: BTreeMap<_, _> = unmapped.into_iter().chain(stateless).map(why).collect();
    let mut states: BTreeMap<HostName, HostState> = states.into_iter().collect();
    let known = map.into_iter().filter(|(host, _)| !unreadable.contains_key(host.as_str()));
    let hosts = known.map(|(host, mapped)| {
        let state = states.remove(&host).unwrap_or(HostState::Planned);
        (host, mapped, state)
    });
    Ok((record, progress, hosts.collect(), unreadable))
}

fn job(tables: &Tables<'_>, id: &OverlordJobId) -> Result<JobRecord, Error> {
    tables.get::<Jobs>(id)?.ok_or_else(|| Error::UnknownJob { id: id.clone() })
}
