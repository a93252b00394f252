//! `func schedule`: calls that are made again and again.

mod add;
mod list;
mod run;
mod show;

use clap::{Args, Subcommand};
use serde_json::json;

use add::Add;
use list::List;
use run::Run;
use show::Show;

use super::context::Context;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::report::{Lines, Report};
use crate::ids::ScheduleName;
use crate::overlord::{Overlord, ScheduleView};

/// Have calls made again and again, each time as a job
///
/// `func daemon` begins the runs; what they did is told by `func schedule show` and `func job list`.
#[derive(Debug, Subcommand)]
pub(super) enum Schedule {
    Add(Box<Add>),
    List(List),
    Show(Show),
    Run(Run),
    Pause(Pause),
    Resume(Resume),
    Remove(Remove),
}

impl Schedule {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Add(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Show(command) => command.run(context),
            Self::Run(command) => command.run(context),
            Self::Pause(command) => command.run(context),
            Self::Resume(command) => command.run(context),
            Self::Remove(command) => command.run(context),
        }
    }
}

/// Begin no runs of a schedule until it is resumed; what runs goes on
#[derive(Debug, Args)]
pub(super) struct Pause {
    /// The schedule
    name: ScheduleName,
}

impl Pause {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let view = Context::block_on(async { Ok(overlord.pause_schedule(&self.name, true).await?) })?;
        Ok(Box::new(Lines { lines: vec![format!("{} is paused", view.name)], data: view.to_json(false) }))
    }
}

/// Go on with a schedule that was paused, at its next time
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The schedule
    name: ScheduleName,
}

impl Resume {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let view = Context::block_on(async { Ok(overlord.pause_schedule(&self.name, false).await?) })?;
        warn_if_nobody_runs_them(&overlord);
        Ok(Box::new(Lines { lines: vec![next_run(&view)], data: view.to_json(false) }))
    }
}

/// Take a schedule away; what it has run stays, as jobs
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The schedule
    name: ScheduleName,
}

impl Remove {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        Context::block_on(async { Ok(overlord.remove_schedule(&self.name).await?) })?;
        let line = format!("{} is removed", self.name);
        Ok(Box::new(Lines { lines: vec![line], data: json!({ "removed": self.name }) }))
    }
}

/// When it runs next, in its zone and in UTC.
fn next_run(view: &ScheduleView) -> String {
    match &view.next {
        Some(next) => {
            let (here, utc) = (next.strftime("%Y-%m-%d %H:%M:%S %Z"), next.timestamp().strftime("%Y-%m-%d %H:%M:%S"));
            format!("{} runs next at {here} ({utc} UTC)", view.name)
        }
        None if view.paused.is_some() => format!("{} is paused: `func schedule resume {}`", view.name, view.name),
        None => format!("{} does not run again", view.name),
    }
}

fn warn_if_nobody_runs_them(overlord: &Overlord) {
    if !overlord.schedules_are_kept() {
        Context::warn("no daemon runs here, so no run begins by itself: start `func daemon`");
    }
}
