//! Every transaction on the tables of schedules.

use std::path::Path;

use jiff::Timestamp;

use super::{
    Happened, Note, Overlap, Schedule, ScheduleError,
    due::{Due, due, passed_before},
    history,
    record::{Notes, Schedules, State, States},
};
use crate::{
    fleet::Selection,
    ids::{OverlordJobId, ScheduleName},
    overlord::{Error, JobPlan, JobRecord, counting::progress_if_known, lock::JobLock, transactions::plan},
    store::Tables,
};

/// What is to be done about a schedule now.
#[derive(Debug)]
pub(super) enum Verdict {
    /// This instant is to run.
    Run { schedule: Box<Schedule>, instant: Timestamp },
    /// Nothing runs; what there was to note is noted.
    Nothing,
}

/// A run that is ready to become a job.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) schedule: Schedule,
    pub(super) record: JobRecord,
    pub(super) plan: JobPlan,
    pub(super) selection: Selection,
}

/// Sets a schedule. One that is set anew keeps its history, and is waiting from now on.
pub(super) fn set(
    tables: &mut Tables<'_>,
    name: &ScheduleName,
    schedule: &Schedule,
    replace: bool,
    (who, now): (String, Timestamp),
) -> Result<(), Error> {
    if tables.contains::<Schedules>(name)? && !replace {
        return Err(ScheduleError::Exists { name: name.clone() }.into());
    }
    let before = tables.get::<States>(name)?;
    let set = (who, now);
    let fresh =
        State { judged: now, paused: None, last: None, set: set.clone(), ran: 0, missed: 0, skipped: 0, failed: 0 };
    let state = before.map_or(fresh, |before| State { judged: now, set, ..before });
    tables.put::<Schedules>(name, schedule)?;
    Ok(tables.put::<States>(name, &state)?)
}

/// Takes a schedule away. Its jobs stay.
pub(super) fn remove(tables: &mut Tables<'_>, name: &ScheduleName) -> Result<(), Error> {
    schedule_of(tables, name)?;
    tables.remove::<Schedules>(name)?;
    tables.remove::<States>(name)?;
    Ok(tables.remove::<Notes>(name)?)
}

/// Pauses a schedule, or has it wait for its next instant.
pub(super) fn pause(tables: &mut Tables<'_>, name: &ScheduleName, pause: bool, now: Timestamp) -> Result<(), Error> {
    let mut state = state_of(tables, name)?;
    if pause == state.paused.is_some() {
        return Ok(());
    }
    state.paused = pause.then_some(now);
    state.judged = now;
    Ok(tables.put::<States>(name, &state)?)
}

/// Notes what needs no job, and says which instant needs one.
pub(super) fn judge(tables: &mut Tables<'_>, name: &ScheduleName, now: Timestamp) -> Result<Verdict, Error> {
    let schedule = schedule_of(tables, name)?;
    let mut state = state_of(tables, name)?;
    if state.paused.is_some() {
        return Ok(Verdict::Nothing);
    }
    let table = schedule.timetable()?;
    match due(&table, state.judged, schedule.catch_up, now) {
        Due::Nothing { .. } => Ok(Verdict::Nothing),
        Due::ClockSetBack => {
            let was = state.judged;
            state.judged = now;
            write(tables, name, &state, [Note::of(was, Happened::ClockSetBack)])?;
            Ok(Verdict::Nothing)
        }
        Due::Instants { missed, run: None } => {
            state.judged = missed.map_or(state.judged, |missed| missed.upto);
            state.missed += missed.map_or(0, |missed| u64::from(missed.count));
            write(tables, name, &state, missed.map(Note::missed))?;
            Ok(Verdict::Nothing)
        }
        Due::Instants { run: Some(instant), .. } => {
            let Some(open) = must_wait(tables, &schedule, &state)? else {
                return Ok(Verdict::Run { schedule: Box::new(schedule), instant });
            };
            judged(tables, name, &schedule, state, instant, |_, _| Ok(Happened::Skipped { open }))?;
            Ok(Verdict::Nothing)
        }
    }
}

/// When each schedule that is not paused is to be judged next. One that cannot be read, or whose instants cannot be told, is left
/// out.
pub(super) fn upcoming(tables: &mut Tables<'_>, now: Timestamp) -> Result<Vec<(ScheduleName, Timestamp)>, Error> {
    let mut found = Vec::new();
    for (name, schedule) in tables.readable::<Schedules>()?.0 {
        let Ok(state) = state_of(tables, &name) else { continue };
        let Some(table) = schedule.timetable().ok().filter(|_| state.paused.is_none()) else { continue };
        let at = match due(&table, state.judged, schedule.catch_up, now) {
            Due::Nothing { next } => next,
            Due::Instants { .. } | Due::ClockSetBack => Some(now),
        };
        found.extend(at.map(|at| (name, at)));
    }
    Ok(found)
}

/// Makes the job of an instant, if it is still nobody's.
pub(super) fn claim(
    tables: &mut Tables<'_>,
    locks: &Path,
    name: &ScheduleName,
    ready: Ready,
    instant: Timestamp,
) -> Result<Option<(OverlordJobId, JobLock)>, Error> {
    let Some(state) = still_ours(tables, name, &ready.schedule, instant)? else { return Ok(None) };
    let mut claimed = None;
    let schedule = ready.schedule.clone();
    judged(tables, name, &schedule, state, instant, |tables, state| {
        if let Some(open) = must_wait(tables, &schedule, state)? {
            return Ok(Happened::Skipped { open });
        }
        let (id, lock) = plan(tables, locks, ready.record, &ready.plan, &ready.selection, &format!("schedule:{name}"))?;
        claimed = Some((id.clone(), lock));
        Ok(Happened::Ran { job: id, by_hand: false })
    })?;
    Ok(claimed)
}

/// Notes why no job could be made of an instant, if it is still nobody's.
pub(super) fn fail(
    tables: &mut Tables<'_>,
    name: &ScheduleName,
    schedule: &Schedule,
    instant: Timestamp,
    why: &str,
) -> Result<(), Error> {
    let Some(state) = still_ours(tables, name, schedule, instant)? else { return Ok(()) };
    judged(tables, name, schedule, state, instant, |_, _| Ok(Happened::failed(why)))
}

/// Makes a job now, whatever the timetable says.
pub(super) fn run_by_hand(
    tables: &mut Tables<'_>,
    locks: &Path,
    name: &ScheduleName,
    ready: Ready,
    who: &str,
) -> Result<(OverlordJobId, JobLock), Error> {
    let mut state = state_of(tables, name)?;
    if let Some(job) = must_wait(tables, &ready.schedule, &state)? {
        return Err(ScheduleError::Open { name: name.clone(), job }.into());
    }
    let now = ready.record.submitted;
    let by = format!("schedule:{name} by {who}");
    let (id, lock) = plan(tables, locks, ready.record, &ready.plan, &ready.selection, &by)?;
    let what = Happened::Ran { job: id.clone(), by_hand: true };
    count(&mut state, now, &what);
    write(tables, name, &state, [Note::of(now, what)])?;
    Ok((id, lock))
}

/// The state, if an instant has not been judged and the schedule is what it was when the run was prepared.
fn still_ours(
    tables: &Tables<'_>,
    name: &ScheduleName,
    schedule: &Schedule,
    instant: Timestamp,
) -> Result<Option<State>, Error> {
    if tables.get::<Schedules>(name)?.as_ref() != Some(schedule) {
        return Ok(None);
    }
    let state = state_of(tables, name)?;
    Ok((state.paused.is_none() && instant > state.judged).then_some(state))
}

/// Judges an instant, and with it those before it, in this commit. One that is known to have run stays as it is.
fn judged<'a>(
    tables: &mut Tables<'a>,
    name: &ScheduleName,
    schedule: &Schedule,
    mut state: State,
    instant: Timestamp,
    comes: impl FnOnce(&mut Tables<'a>, &State) -> Result<Happened, Error>,
) -> Result<(), Error> {
    let missed = passed_before(&schedule.timetable()?, state.judged, instant);
    let known = tables.get::<Notes>(name)?.unwrap_or_default();
    let has_run =
        known.iter().any(|note| note.from == instant && matches!(note.what, Happened::Ran { by_hand: false, .. }));
    state.judged = instant;
    state.missed += missed.map_or(0, |missed| u64::from(missed.count));
    let note = if has_run {
        None
    } else {
        let what = comes(tables, &state)?;
        count(&mut state, instant, &what);
        Some(Note::of(instant, what))
    };
    write(tables, name, &state, missed.map(Note::missed).into_iter().chain(note))
}

/// The job that a run would overlap, if it may not.
fn must_wait(tables: &Tables<'_>, schedule: &Schedule, state: &State) -> Result<Option<OverlordJobId>, Error> {
    let Some((_, job)) = state.last.as_ref().filter(|_| schedule.overlap == Overlap::Skip) else { return Ok(None) };
    // A job of which nothing is known was purged, so it had ended, or never ends, as nobody can go on with it.
    let open = progress_if_known(tables, job)?.is_some_and(|progress| progress.open > 0);
    Ok(open.then(|| job.clone()))
}

fn count(state: &mut State, at: Timestamp, what: &Happened) {
    match what {
        Happened::Ran { job, .. } => {
            state.ran += 1;
            state.last = Some((at, job.clone()));
        }
        Happened::Skipped { .. } => state.skipped += 1,
        Happened::Failed { .. } => state.failed += 1,
        Happened::Missed | Happened::ClockSetBack => {}
    }
}

fn write(
    tables: &mut Tables<'_>,
    name: &ScheduleName,
    state: &State,
    notes: impl IntoIterator<Item = Note>,
) -> Result<(), Error> {
    let mut known = tables.get::<Notes>(name)?.unwrap_or_default();
    notes.into_iter().for_each(|note| history::add(&mut known, note));
    tables.put::<Notes>(name, &known)?;
    Ok(tables.put::<States>(name, state)?)
}

/// The schedule of this name.
pub(super) fn schedule_of(tables: &Tables<'_>, name: &ScheduleName) -> Result<Schedule, Error> {
    tables.get::<Schedules>(name)?.ok_or_else(|| ScheduleError::Unknown { name: name.clone() }.into())
}

pub(super) fn state_of(tables: &Tables<'_>, name: &ScheduleName) -> Result<State, Error> {
    tables.get::<States>(name)?.ok_or_else(|| ScheduleError::Unknown { name: name.clone() }.into())
}
