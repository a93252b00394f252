//! How far a job is, also where its own count is gone or cannot be read: then its hosts are counted, which say the same but for
//! when the fan-out was done. The next commit about the job writes the count anew.

use super::{
    Error, JobRecord, Progress,
    record::{Jobs, Map, ProgressRows, States},
    state::HostState,
};
use crate::{
    ids::{HostName, OverlordJobId},
    store::Tables,
};

/// How far the job of this record is.
pub(super) fn progress(tables: &Tables<'_>, id: &OverlordJobId, record: &JobRecord) -> Result<Progress, Error> {
    match tables.get::<ProgressRows>(id) {
        Ok(Some(progress)) => Ok(progress),
        Err(error) if !error.is_damage() => Err(error.into()),
        Ok(None) | Err(_) => counted(tables, id, record),
    }
}

/// The same of a job that may have been purged: then it is nothing, and so it is of one whose record cannot be read, with which
/// nobody can go on.
pub(super) fn progress_if_known(tables: &Tables<'_>, id: &OverlordJobId) -> Result<Option<Progress>, Error> {
    match tables.get::<Jobs>(id) {
        Ok(Some(record)) => progress(tables, id, &record).map(Some),
        Err(error) if !error.is_damage() => Err(error.into()),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// A host of which something cannot be read has not ended, for all that is known.
fn counted(tables: &Tables<'_>, id: &OverlordJobId, record: &JobRecord) -> Result<Progress, Error> {
    let (map, _) = tables.under::<Map, OverlordJobId, HostName>(id)?;
    let (states, stateless) = tables.under::<States, OverlordJobId, HostName>(id)?;
    let planned = map.len().saturating_sub(states.len() + stateless.len());
    let mut progress = Progress::default();
    states.iter().filter_map(|(_, state)| state.outcome()).for_each(|outcome| progress.summary.add(outcome));
    progress.open = record.hosts.saturating_sub(progress.summary.total());
    let last = states.iter().filter_map(|(_, state)| state.since()).max().unwrap_or(record.submitted);
    let is_planned = planned > 0 || states.iter().any(|(_, state)| *state == HostState::Planned);
    progress.fanned_out = (!is_planned).then_some(last);
    progress.ended = (progress.open == 0).then_some(last);
    Ok(progress)
}
