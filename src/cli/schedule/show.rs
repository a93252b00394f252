//! `func schedule show`: everything that is known about a schedule.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;

use super::{list::state, next_run, warn_if_nobody_runs_them};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::fleet_options::overlord;
use crate::cli::render;
use crate::cli::report::Report;
use crate::fleet::Filter;
use crate::ids::ScheduleName;
use crate::overlord::{Arguments, Happened, Note, Overlap, RunView, ScheduleView};

/// Show a schedule and what came of its times: runs, and those that were missed, skipped or failed
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The schedule
    name: ScheduleName,
}

impl Show {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let view = Context::block_on(async { Ok(overlord.schedule(&self.name).await?) })?;
        warn_if_nobody_runs_them(&overlord);
        Ok(Box::new(Whole(view)))
    }
}

struct Whole(ScheduleView);

impl Report for Whole {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (name, value) in lines(&self.0) {
            writeln!(out, "{:<14}{}", format!("{name}:"), render::visible(&value))?;
        }
        let rows: Vec<Vec<String>> = self.0.notes.iter().map(|(note, run)| row(note, run.as_ref())).collect();
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", render::table(&["for (utc)", "what", "times", "job or reason"], &rows, &[2]))
    }

    fn json(&self) -> serde_json::Value {
        self.0.to_json(true)
    }
}

fn lines(view: &ScheduleView) -> Vec<(&'static str, String)> {
    let schedule = &view.schedule;
    let mut lines = vec![
        ("schedule", view.name.to_string()),
        ("when", format!("{} ({})", schedule.cron, schedule.zone)),
        ("next", view.problem.clone().unwrap_or_else(|| next_run(view))),
        ("set", format!("{} UTC by {}", utc(view.set.1), view.set.0)),
        ("target", schedule.target.clone()),
    ];
    lines.extend(schedule.exclude.clone().map(|exclude| ("exclude", exclude)));
    lines.push(("method", schedule.method.to_string()));
    let filter = schedule.filter.as_ref().and_then(|filter| Filter::of_arguments(std::slice::from_ref(filter)));
    lines.extend(filter.map(|filter| ("filter", filter.to_string())));
    match &schedule.arguments {
        Arguments::Words(words) => lines.extend(words.iter().map(|word| ("argument", word.clone()))),
        Arguments::Values(values) => lines.extend(values.iter().map(|value| ("argument", value.to_json().to_string()))),
    }
    let overlap = match schedule.overlap {
        Overlap::Skip => "a run is skipped while the last one's job is open",
        Overlap::Allow => "a run begins also while the last one's job is open",
    };
    lines.push(("late by", format!("at most {:?}", schedule.catch_up)));
    lines.push(("overlap", overlap.to_owned()));
    lines.push((
        "so far",
        format!("{} ran, {} missed, {} skipped, {} failed", view.ran, view.missed, view.skipped, view.failed),
    ));
    lines
}

fn row(note: &Note, run: Option<&RunView>) -> Vec<String> {
    let times = if note.count > 1 { note.count.to_string() } else { String::new() };
    let span = if note.count > 1 { format!("{} to {}", utc(note.from), utc(note.upto)) } else { utc(note.from) };
    let about = match &note.what {
        Happened::Ran { job, by_hand } => {
            let hand = if *by_hand { "by hand, " } else { "" };
            format!("{job}  ({hand}{})", run.map(state).unwrap_or_default())
        }
        Happened::Skipped { open } => format!("`{open}` was open"),
        Happened::Missed => "no daemon ran in time".to_owned(),
        Happened::Failed { why } => render::visible(why),
        Happened::ClockSetBack => "it had shown this time".to_owned(),
    };
    vec![span, note.what.word().to_owned(), times, about]
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
