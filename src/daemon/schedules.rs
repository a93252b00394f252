//! What programs are told of schedules, and what they can change.

use serde_json::{Map, Value as Json, json};

use super::{
    Daemon,
    api::{ScheduleRequest, Wanted},
    caller::Caller,
    problem::Problem,
};
use crate::{
    ids::ScheduleName,
    overlord::{Arguments, JobView, Overlap, Schedule, ScheduleView, Timetable},
};

impl Daemon {
    /// Every schedule, and whether anybody sees to them.
    pub(super) async fn schedules(&self) -> Result<Json, Problem> {
        let (schedules, unreadable) = self.overlord.schedules().await?;
        let unreadable: Map<_, _> = unreadable.into_iter().map(|row| (row.key, row.error.to_string().into())).collect();
        Ok(json!({
            "schedules": schedules.iter().map(|view| view.to_json(false)).collect::<Vec<_>>(),
            "unreadable": unreadable, "kept": self.overlord.schedules_are_kept(),
        }))
    }

    /// One, with what has come of it.
    pub(super) async fn schedule(&self, name: &ScheduleName) -> Result<Json, Problem> {
        Ok(self.overlord.schedule(name).await?.to_json(true))
    }

    /// Sets one, in the caller's name. If there is one of this name, it is set anew.
    pub(super) async fn set_schedule(
        &self,
        caller: &Caller,
        name: &ScheduleName,
        request: &ScheduleRequest,
    ) -> Result<ScheduleView, Problem> {
        let (wanted, options) = request.job.wanted()?;
        let usual = options(0);
        let zone = request.zone.clone().unwrap_or_else(Timetable::zone_here);
        let Wanted { selector, method, args, filter, steps, .. } = wanted;
        let schedule = Schedule {
            cron: request.cron.clone(),
            zone,
            target: selector.target.as_str().to_owned(),
            exclude: selector.exclude.map(|exclude| exclude.as_str().to_owned()),
            allow_unknown: selector.allow_unknown,
            method,
            arguments: Arguments::Values(args),
            filter: filter.map(|filter| filter.to_argument()),
            forks: usual.forks,
            acceptance: usual.acceptance,
            job_timeout: usual.timeout,
            give_up_after: usual.give_up_after,
            steps,
            catch_up: request.catch_up()?,
            overlap: if request.allow_overlap { Overlap::Allow } else { Overlap::Skip },
        };
        let view = self.overlord.asked_by(&caller.who()).set_schedule(name, schedule, true).await?;
        tracing::info!(schedule = %name, caller = caller.who(), "a schedule was set");
        Ok(view)
    }

    /// Takes one away.
    pub(super) async fn remove_schedule(&self, caller: &Caller, name: &ScheduleName) -> Result<Json, Problem> {
        self.overlord.remove_schedule(name).await?;
        tracing::info!(schedule = %name, caller = caller.who(), "a schedule was removed");
        Ok(json!({ "removed": name }))
    }

    /// Pauses one, or has it go on.
    pub(super) async fn pause_schedule(
        &self,
        caller: &Caller,
        name: &ScheduleName,
        paused: bool,
    ) -> Result<Json, Problem> {
        let view = self.overlord.pause_schedule(name, paused).await?;
        let what = if paused { "a schedule was paused" } else { "a schedule goes on" };
        tracing::info!(schedule = %name, caller = caller.who(), "{what}");
        Ok(view.to_json(true))
    }

    /// Runs one now, in the caller's name.
    pub(super) async fn run_schedule(&self, caller: &Caller, name: &ScheduleName) -> Result<JobView, Problem> {
        let fan_out = self.overlord.asked_by(&caller.who()).run_schedule(name).await?;
        self.begun(caller, fan_out, "a schedule was run by hand").await
    }
}

/// The schedule that a path names.
pub(super) fn name(id: Option<String>) -> Result<ScheduleName, Problem> {
    id.unwrap_or_default().parse().map_err(Problem::bad)
}
