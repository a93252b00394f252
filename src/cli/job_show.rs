//! `func job show`: everything that is known about a job.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;

use super::budget::WithBudgets;
use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::job::{JobReport, state_word};
use super::render;
use super::report::Report;
use super::shape::{Shape, ShapeOptions};
use super::standing;
use crate::config::age;
use crate::fleet::Filter;
use crate::ids::OverlordJobId;
use crate::overlord::{HostState, HostView, JobView};
use crate::wire::Value;

/// Show everything that is known about a job: who made it, when, its call, and each host with its state and times
///
/// Only the store of this machine is asked; `func job status` asks the minions, and shows results.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The job, as `func job list` names it
    id: OverlordJobId,
    /// Ask the minions what the job has used there: time, memory, host functions, denials
    #[arg(long)]
    budget: bool,
    #[command(flatten)]
    shape: ShapeOptions,
}

impl Show {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let shape = self.shape.shape(context)?;
        let overlord = overlord(context)?;
        Context::block_on(async {
            let report: Box<dyn Report> = Box::new(Whole(overlord.status(&self.id).await?));
            if !self.budget {
                return Ok(shape.of(report, false));
            }
            let budgets = overlord.budgets(&self.id).await?;
            Ok(shape.of(Box::new(WithBudgets { report, budgets }), false))
        })
    }
}

/// A job with its hosts as they stand.
struct Whole(JobView);

impl Report for Whole {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let job = &self.0;
        let now = Timestamp::now();
        let at = |time: Timestamp| format!("{} UTC, {} ago", time.strftime("%Y-%m-%d %H:%M:%S"), age(time, now));
        let none = || "not yet".to_owned();
        let mut lines = vec![
            ("job", job.id.to_string()),
            ("state", state_word(job.status(), job.interrupted)),
            ("submitted", at(job.record.submitted)),
            ("by", job.submitter.clone().unwrap_or_else(|| "not known".to_owned())),
            ("target", job.record.target.clone()),
            ("method", job.record.method.to_string()),
        ];
        let filter = Filter::of_arguments(&job.record.args);
        let arguments = job.record.args.iter().skip(usize::from(filter.is_some()));
        lines.extend(filter.iter().map(|filter| ("filter", filter.to_string())));
        lines.extend(arguments.map(|argument| ("argument", typed(argument))));
        lines.push(("handed out", job.progress.fanned_out.map_or_else(none, at)));
        lines.push(("ended", job.progress.ended.map_or_else(none, at)));
        lines.extend(job.cancelled.map(|time| ("cancelled", at(time))));
        lines.extend(job.record.timeout.map(|time| ("time limit", format!("{time:?} on each host"))));
        for (name, value) in lines {
            writeln!(out, "{:<12}{}", format!("{name}:"), render::visible(&value))?;
        }
        let rows: Vec<Vec<String>> = job.hosts.iter().map(|(host, view)| row(host.to_string(), view)).collect();
        writeln!(
            out,
            "\n{}",
            render::table(&["host", "state", "since (UTC)", "sent", "minion's job", "note"], &rows, &[3])
        )?;
        for (host, why) in &job.unreadable {
            writeln!(out, "{}: its record cannot be read: {}", render::visible(host), render::visible(why))?;
        }
        standing::lines(job).iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn shaped(&self, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
        if *shape == Shape::Folded { self.text(out) } else { JobReport(self.0.clone()).shaped(shape, out) }
    }

    fn json(&self) -> serde_json::Value {
        self.0.to_json()
    }

    /// It was shown; how the job did is what `func job status` tells.
    fn exit(&self) -> Exit {
        Exit::Ok
    }
}

/// The value and its type: `30 (int)`.
fn typed(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("{text:?}"),
        other => other.to_json().to_string(),
    };
    format!("{} ({})", render::clip(&text), value.kind())
}

fn row(host: String, view: &HostView) -> Vec<String> {
    let state = match view.state.outcome() {
        Some(outcome) => outcome.name(),
        None => view.state.word(),
    };
    let again = matches!(view.state, HostState::Sent { again: true, .. });
    let note = match view.state.outcome().and_then(crate::fleet::Outcome::why) {
        Some(why) => render::visible(&why),
        None if again => "sent again".to_owned(),
        None => String::new(),
    };
    let since = view.state.since().map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let job = view.minion_job.as_ref().map(ToString::to_string).unwrap_or_default();
    let sent = if view.attempts == 0 { String::new() } else { format!("{}×", view.attempts) };
    vec![host, state.to_owned(), since, sent, job, note.lines().next().unwrap_or_default().to_owned()]
}
