//! A schedule as it is shown.

use std::path::Path;

use jiff::{Timestamp, Zoned};
use serde_json::{Value as Json, json};

use super::{
    Note, Overlap, Schedule,
    record::{Notes, Schedules},
    transactions::{schedule_of, state_of},
};
use crate::{
    fleet::Filter,
    ids::{OverlordJobId, ScheduleName},
    overlord::{Error, Happened, Progress, counting::progress_if_known, transactions::is_interrupted},
    store::{Tables, Unreadable},
    telemetry::chain,
};

/// A schedule, where it is and what has come of it.
#[derive(Debug, Clone)]
pub struct ScheduleView {
    /// Its name.
    pub name: ScheduleName,
    /// The call and when it is made.
    pub schedule: Schedule,
    /// Who has set it, and when.
    pub set: (String, Timestamp),
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
    /// The next instant, in its zone; none if it is paused, cannot be told or never comes.
    pub next: Option<Zoned>,
    /// Why its instants cannot be told.
    pub problem: Option<String>,
    /// The last run: for when, and how its job stands.
    pub last: Option<(Timestamp, RunView)>,
    /// So many instants ran, also by hand.
    pub ran: u64,
    /// So many were missed.
    pub missed: u64,
    /// So many were skipped.
    pub skipped: u64,
    /// Of so many no job could be made.
    pub failed: u64,
    /// What came of the latest instants, oldest first, and how the jobs stand.
    pub notes: Vec<(Note, Option<RunView>)>,
}

/// A run's job.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Which.
    pub job: OverlordJobId,
    /// How far it is; none if it was purged or nothing of it can be read.
    pub progress: Option<Progress>,
    /// Whether it is still to be handed out and nobody does so.
    pub interrupted: bool,
}

/// Every schedule that can be read, by name, and the others.
pub(super) fn views(
    tables: &mut Tables<'_>,
    locks: &Path,
    now: Timestamp,
) -> Result<(Vec<ScheduleView>, Vec<Unreadable>), Error> {
    let (schedules, mut unreadable) = tables.readable::<Schedules>()?;
    let mut views = Vec::with_capacity(schedules.len());
    for (name, schedule) in schedules {
        match view_of(tables, locks, name.clone(), schedule, now) {
            Ok(view) => views.push(view),
            // It costs itself, not the others.
            Err(Error::Store(error)) => unreadable.push(Unreadable { key: name.to_string(), error }),
            Err(error) => return Err(error),
        }
    }
    Ok((views, unreadable))
}

/// One of them.
pub(super) fn view(
    tables: &mut Tables<'_>,
    locks: &Path,
    name: &ScheduleName,
    now: Timestamp,
) -> Result<ScheduleView, Error> {
    let schedule = schedule_of(tables, name)?;
    view_of(tables, locks, name.clone(), schedule, now)
}

fn view_of(
    tables: &Tables<'_>,
    locks: &Path,
    name: ScheduleName,
    schedule: Schedule,
    now: Timestamp,
) -> Result<ScheduleView, Error> {
    let state = state_of(tables, &name)?;
    let run = |job: &OverlordJobId| -> Result<RunView, Error> {
        let progress = progress_if_known(tables, job)?;
        let interrupted = progress.as_ref().is_some_and(|progress| is_interrupted(progress, locks, job));
        Ok(RunView { job: job.clone(), progress, interrupted })
    };
    let last = state.last.map(|(at, job)| Ok::<_, Error>((at, run(&job)?))).transpose()?;
    let notes = tables.get::<Notes>(&name)?.unwrap_or_default().into_iter().map(|note| {
        let run = note.job().map(run).transpose()?;
        Ok::<_, Error>((note, run))
    });
    let notes = notes.collect::<Result<_, _>>()?;
    let (next, problem) = match schedule.timetable() {
        Ok(_) if state.paused.is_some() => (None, None),
        Ok(table) => (table.next(state.judged.max(now)).map(|at| table.local(at)), None),
        Err(error) => (None, Some(chain(&error))),
    };
    Ok(ScheduleView {
        name,
        schedule,
        set: state.set,
        paused: state.paused,
        next,
        problem,
        last,
        ran: state.ran,
        missed: state.missed,
        skipped: state.skipped,
        failed: state.failed,
        notes,
    })
}

impl RunView {
    /// Whether it has ended, and not well on every host.
    fn went_wrong(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.open == 0 && !progress.summary.all_well())
    }

    /// For programs.
    pub fn to_json(&self) -> Json {
        let status = self.progress.as_ref().map(|progress| progress.status().word());
        json!({
            "job": self.job, "status": status, "interrupted": self.interrupted,
            "summary": self.progress.as_ref().map(Progress::to_json),
        })
    }
}

impl ScheduleView {
    /// How often in a row it went wrong up to now: no job could be made, or hosts of the job did not end well.
    pub fn wrong_in_a_row(&self) -> usize {
        let wrong = |(note, run): &&(Note, Option<RunView>)| match note.what {
            Happened::Failed { .. } => true,
            Happened::Ran { .. } => run.as_ref().is_some_and(RunView::went_wrong),
            _ => false,
        };
        let told = self.notes.iter().rev().filter(|(note, run)| match note.what {
            Happened::Failed { .. } => true,
            Happened::Ran { .. } => {
                run.as_ref().is_some_and(|run| run.progress.is_some_and(|progress| progress.open == 0))
            }
            _ => false,
        });
        told.take_while(wrong).map(|(note, _)| note.count as usize).sum()
    }

    /// For programs; with what has come of it, if that is wanted.
    pub fn to_json(&self, history: bool) -> Json {
        let schedule = &self.schedule;
        let filter = schedule.filter.as_ref().and_then(|filter| Filter::of_arguments(std::slice::from_ref(filter)));
        let share = |share: Option<crate::fleet::Share>| share.map(|share| share.to_string());
        let last = self.last.as_ref().map(|(at, run)| {
            let mut data = run.to_json();
            data["at"] = json!(at);
            data
        });
        let mut data = json!({
            "name": self.name, "cron": schedule.cron, "zone": schedule.zone, "target": schedule.target,
            "exclude": schedule.exclude, "allow_unknown": schedule.allow_unknown, "method": schedule.method,
            "args": schedule.arguments.to_json(), "filter": filter.map(|filter| filter.to_string()),
            "forks": schedule.forks, "timeout": schedule.acceptance.as_secs_f64(),
            "job_timeout": schedule.job_timeout.map(|time| time.as_secs_f64()),
            "give_up_after": schedule.give_up_after.as_secs_f64(), "catch_up": schedule.catch_up.as_secs_f64(),
            "batch": share(schedule.steps.batch), "canary": share(schedule.steps.canary),
            "max_fail": share(schedule.steps.max_fail), "retry": schedule.steps.retry,
            "pause": schedule.steps.pause.as_secs_f64(), "allow_overlap": schedule.overlap == Overlap::Allow,
            "set_by": self.set.0, "set": self.set.1, "paused": self.paused,
            "next": self.next.as_ref().map(Zoned::timestamp), "next_local": self.next.as_ref().map(ToString::to_string),
            "problem": self.problem, "last": last,
            "ran": self.ran, "missed": self.missed, "skipped": self.skipped, "failed": self.failed,
        });
        if history {
            data["history"] = self.notes.iter().map(|(note, run)| told(note, run.as_ref())).collect();
        }
        data
    }
}

fn told(note: &Note, run: Option<&RunView>) -> Json {
    let mut data = note.to_json();
    if let (Some(run), Some(data)) = (run, data.as_object_mut())
        && let Json::Object(told) = run.to_json()
    {
        data.extend(told);
    }
    data
}
