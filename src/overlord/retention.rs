//! Which jobs the store keeps.
//!
//! A job of which a host is open is never taken away, whatever the bounds say; of the others the oldest go first. Each time
//! only so many go: whoever has just ended a job waits for no long work, and the next one does the rest.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Error, Overlord, Progress,
    counting::progress_if_known,
    record::{Attempts, Cancels, Jobs, Map, Orders, Plans, ProgressRows, Sizes, Stages, States, Submitters},
};
use crate::{
    ids::{HostName, OverlordJobId},
    store::Tables,
};

/// So many jobs go at a time.
const AT_ONCE: usize = 100;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For how long after its end.
    pub age: Duration,
    /// So many ended jobs.
    pub jobs: usize,
    /// So many bytes of results.
    pub bytes: u64,
}

impl Overlord {
    /// Takes ended jobs away; with the first that has not ended nothing is done.
    pub async fn purge(&self, ids: Vec<OverlordJobId>) -> Result<(), Error> {
        self.ledger()
            .transact(move |tables| {
                if let Some(id) = ids.iter().find(|id| !has_ended(tables, id)) {
                    let known = tables.contains::<Jobs>(id)?;
                    let id = id.clone();
                    return Err(if known { Error::Live { id } } else { Error::UnknownJob { id } });
                }
                ids.iter().try_for_each(|id| forget(tables, id))
            })
            .await
    }

    /// The same, by the settings. Somebody has just waited for a job, and gets it whether or not there is room again.
    pub(super) async fn tidy(&self, ended: &OverlordJobId) {
        let keep = match self.settings() {
            Ok(settings) => settings.jobs.bounds(),
            Err(error) => return tracing::warn!(%error, "old jobs are kept: the settings cannot be used"),
        };
        match self.keep_within(ended, keep).await {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "old jobs were taken out of the store"),
            Err(error) => tracing::warn!(%error, "old jobs are kept"),
        }
    }

    /// Takes away some of what is beyond the bounds, now that a job has ended. Answers how many jobs went.
    pub async fn keep_within(&self, ended: &OverlordJobId, keep: Keep) -> Result<usize, Error> {
        let ended = ended.clone();
        self.ledger()
            .transact(move |tables| {
                weigh(tables, &ended)?;
                let due = due(tables, keep, Timestamp::now())?;
                due.iter().try_for_each(|id| forget(tables, id))?;
                Ok(due.len())
            })
            .await
    }
}

fn has_ended(tables: &Tables<'_>, id: &OverlordJobId) -> bool {
    let progress = match tables.get::<ProgressRows>(id) {
        Ok(Some(progress)) => Some(progress),
        _ => progress_if_known(tables, id).ok().flatten(),
    };
    progress.is_some_and(|progress| progress.open == 0)
}

/// Notes how large the results of an ended job are, once.
fn weigh(tables: &mut Tables<'_>, id: &OverlordJobId) -> Result<(), Error> {
    if !has_ended(tables, id) || tables.contains::<Sizes>(id)? {
        return Ok(());
    }
    let (states, _) = tables.under::<States, _, _>(id)?;
    let bytes = states.iter().map(|(_, state)| postcard::to_stdvec(state).map_or(0, |bytes| bytes.len() as u64)).sum();
    tables.put::<Sizes>(id, &bytes)?;
    Ok(())
}

/// The jobs that are beyond the bounds, oldest first. Rows that cannot be read are left for somebody to look at.
fn due(tables: &Tables<'_>, keep: Keep, now: Timestamp) -> Result<Vec<OverlordJobId>, Error> {
    let (progress, _) = tables.readable::<ProgressRows>()?;
    let mut ended: Vec<(Timestamp, OverlordJobId)> =
        progress.into_iter().filter_map(|(id, progress)| Some((end(&progress)?, id))).collect();
    ended.sort_by(|a, b| b.cmp(a));
    let (sizes, _) = tables.readable::<Sizes>()?;
    let sizes: std::collections::BTreeMap<_, _> = sizes.into_iter().collect();
    let mut bytes = 0_u64;
    let mut beyond = Vec::new();
    for (count, (at, id)) in ended.into_iter().enumerate() {
        bytes = bytes.saturating_add(sizes.get(&id).copied().unwrap_or(0));
        let old = u64::try_from(now.as_second() - at.as_second()).is_ok_and(|age| age > keep.age.as_secs());
        // The newest is kept, however large it is: somebody has just waited for it.
        if count > 0 && (old || count >= keep.jobs || bytes > keep.bytes) {
            beyond.push(id);
        }
    }
    beyond.reverse();
    beyond.truncate(AT_ONCE);
    Ok(beyond)
}

fn end(progress: &Progress) -> Option<Timestamp> {
    progress.ended.filter(|_| progress.open == 0)
}

fn forget(tables: &mut Tables<'_>, id: &OverlordJobId) -> Result<(), Error> {
    let (map, unmapped) = tables.under::<Map, _, _>(id)?;
    let (states, stateless) = tables.under::<States, _, _>(id)?;
    let damaged = unmapped.into_iter().chain(stateless).filter_map(|row| row.key.parse::<HostName>().ok());
    let hosts: std::collections::BTreeSet<HostName> =
        map.into_iter().map(|(host, _)| host).chain(states.into_iter().map(|(host, _)| host)).chain(damaged).collect();
    for host in hosts {
        let key = (id.clone(), host);
        tables.remove::<Map>(&key)?;
        tables.remove::<States>(&key)?;
        tables.remove::<Attempts>(&key)?;
    }
    tables.remove::<Orders>(id)?;
    tables.remove::<Stages>(id)?;
    tables.remove::<Plans>(id)?;
    tables.remove::<Cancels>(id)?;
    tables.remove::<Submitters>(id)?;
    tables.remove::<Sizes>(id)?;
    tables.remove::<Jobs>(id)?;
    tables.remove::<ProgressRows>(id)?;
    Ok(())
}
