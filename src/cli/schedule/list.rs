//! `func schedule list`: which schedules there are, and how they do.

use clap::Args;
use jiff::Timestamp;

use super::warn_if_nobody_runs_them;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::fleet_options::overlord;
use crate::cli::job::state_word;
use crate::cli::outcomes::counts;
use crate::cli::render;
use crate::cli::report::{Lines, Report};
use crate::config::age;
use crate::overlord::{RunView, ScheduleView};

/// List schedules with their next and their last run
#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let (schedules, unreadable) = Context::block_on(async { Ok(overlord.schedules().await?) })?;
        for row in unreadable {
            Context::warn(format!("the schedule `{}` cannot be shown: {}", render::visible(&row.key), row.error));
        }
        for (name, problem) in schedules.iter().filter_map(|view| Some((&view.name, view.problem.as_ref()?))) {
            Context::warn(format!("`{name}` cannot run: {}", render::visible(problem)));
        }
        if !schedules.is_empty() {
            warn_if_nobody_runs_them(&overlord);
        }
        let rows: Vec<Vec<String>> = schedules.iter().map(|view| row(view, Timestamp::now())).collect();
        let lines = if rows.is_empty() {
            vec!["no schedules".to_owned()]
        } else {
            let header = ["schedule", "cron", "zone", "next", "next (utc)", "last", "job"];
            vec![render::table(&header, &rows, &[])]
        };
        Ok(Box::new(Lines { lines, data: schedules.iter().map(|view| view.to_json(false)).collect() }))
    }
}

fn row(view: &ScheduleView, now: Timestamp) -> Vec<String> {
    let schedule = &view.schedule;
    let (next, utc) = match &view.next {
        Some(next) => {
            let utc = next.timestamp().strftime("%Y-%m-%d %H:%M:%S");
            (next.strftime("%Y-%m-%d %H:%M:%S").to_string(), utc.to_string())
        }
        None if view.paused.is_some() => ("paused".to_owned(), String::new()),
        None if view.problem.is_some() => ("not known".to_owned(), String::new()),
        None => ("never".to_owned(), String::new()),
    };
    let last =
        view.last.as_ref().map(|(at, run)| (format!("{}, {} ago", state(run), age(*at, now)), run.job.to_string()));
    let (last, job) = last.unwrap_or_else(|| ("never".to_owned(), String::new()));
    vec![view.name.to_string(), schedule.cron.clone(), schedule.zone.clone(), next, utc, last, job]
}

/// How a run's job stands, in a few words.
pub(super) fn state(run: &RunView) -> String {
    match &run.progress {
        None => "purged".to_owned(),
        Some(progress) if progress.open == 0 => counts(&progress.summary),
        Some(progress) => state_word(progress.status(), run.interrupted),
    }
}
