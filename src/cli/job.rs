//! `func job`: what became of jobs.

use std::io::{self, Write};

use super::check::{but, exit_of_check, write_plans};
use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::follow::{ending, followed};
use super::handing_out::{attended, hand_out_and_wait};
use super::job_list::{List, Purge};
use super::job_show::Show;
use super::outcomes::exit_of;
use super::progress::Progress;
use super::render;
use super::report::Report;
use super::retry::Retry;
use super::secrets::Given;
use super::shape::{Shape, ShapeOptions};
use super::standing;
use super::stop::Interrupts;
use crate::config::Period;
use crate::fleet::Outcome;
use crate::ids::{HostName, OverlordJobId};
use crate::overlord::{HostView, JobView};
use crate::wire::JobStatus;
use clap::{Args, Subcommand};
use serde_json::json;

/// List jobs, look at one, wait for it, go on with it, try it again, cancel it
#[derive(Debug, Subcommand)]
pub(super) enum Job {
    List(List),
    Show(Show),
    Status(Status),
    Wait(Wait),
    Resume(Resume),
    Retry(Retry),
    Cancel(Cancel),
    Follow(Follow),
    Purge(Purge),
}

impl Job {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Show(command) => command.run(context),
            Self::Status(command) => command.run(context),
            Self::Wait(command) => command.run(context),
            Self::Resume(command) => command.run(context),
            Self::Retry(command) => command.run(context),
            Self::Cancel(command) => command.run(context),
            Self::Follow(command) => command.run(context),
            Self::Purge(command) => command.run(context),
        }
    }
}

/// Show a job's state, and each host's own state or result
///
/// A finished job is answered from this machine's store: no minion is asked.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The job, as `func job list` names it
    id: OverlordJobId,
    #[command(flatten)]
    shape: ShapeOptions,
}

impl Status {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let shape = self.shape.shape(context)?;
        let overlord = overlord(context)?;
        let view = Context::block_on(async { Ok(overlord.poll(&self.id).await?) })?;
        Ok(shape.of(Box::new(JobReport(view)), false))
    }
}

/// Wait until a job is finished, then show it
#[derive(Debug, Args)]
pub(super) struct Wait {
    /// The job, as `func job list` names it
    id: OverlordJobId,
    /// Wait no longer than this
    #[arg(long, value_name = "PERIOD")]
    timeout: Option<Period>,
    #[command(flatten)]
    shape: ShapeOptions,
}

impl Wait {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let shape = self.shape.shape(context)?;
        let overlord = overlord(context)?;
        let report = Context::block_on(async {
            let hosts = overlord.status(&self.id).await?.hosts.into_keys();
            let progress = Progress::of_hosts(context, &shape, hosts);
            let view = overlord.wait(&self.id, self.timeout.map(Period::duration), |host, outcome| {
                progress.ended(host, outcome);
            });
            attended(Interrupts::listen().await?, &overlord, &self.id, &progress, async { Ok(view.await?) }).await
        })?;
        Ok(shape.of(report, true))
    }
}

/// Go on with a job whose overlord was killed; nothing runs twice
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The job, as `func job list` names it
    id: OverlordJobId,
    /// A secret of its call, which is not kept: `@secret:FILE`, `@secret:-` or `@secret:?`; again for each, in their order
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
}

impl Resume {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let secrets = Given::gather(&self.secrets)?.of_words(&self.secrets)?;
        Context::block_on(async {
            let hosts = overlord.status(&self.id).await?.hosts.into_keys();
            let progress = Progress::of_hosts(context, &Shape::Folded, hosts);
            let fan_out = overlord.resume(&self.id, secrets).await?;
            attended(
                Interrupts::listen().await?,
                &overlord,
                &self.id,
                &progress,
                hand_out_and_wait(&overlord, fan_out, &progress),
            )
            .await
        })
    }
}

/// Show what a job's hosts log and how far they are, as it comes, then the job
///
/// Begins with what they have said so far. With --json one object a line: `host` and `line` or `progress`, at last `job`.
#[derive(Debug, Args)]
pub(super) struct Follow {
    /// The job, as `func job list` names it
    id: OverlordJobId,
}

impl Follow {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let report = Context::block_on(async {
            let hosts = overlord.status(&self.id).await?.hosts.into_keys();
            let progress = Progress::of_hosts(context, &Shape::Folded, hosts);
            let wait =
                async { Ok(overlord.wait(&self.id, None, |host, outcome| progress.ended(host, outcome)).await?) };
            let work = Box::pin(followed(context, &overlord, &self.id, &progress, wait));
            attended(Interrupts::listen().await?, &overlord, &self.id, &progress, work).await
        })?;
        Ok(ending(context, report))
    }
}

/// End a job on every host that has not ended
///
/// Hosts that were sent nothing stay so. A host whose part has ended by then keeps its result. Hosts that cannot be reached
/// are named; whoever looks at the job or waits for it asks them again.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The job, as `func job list` names it
    id: OverlordJobId,
}

impl Cancel {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let view = Context::block_on(async { Ok(overlord.cancel(&self.id).await?) })?;
        Ok(Box::new(Cancelled(JobReport(view))))
    }
}

/// A job that was to be ended: all is well when nothing of it runs any more.
struct Cancelled(JobReport);

impl Report for Cancelled {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.text(out)
    }

    fn json(&self) -> serde_json::Value {
        self.0.json()
    }

    fn exit(&self) -> Exit {
        if self.0.0.is_finished() { Exit::Ok } else { Exit::StillRunning }
    }
}

/// RUNNING, PARTIAL, FINISHED, and whether nobody is at work on it.
pub(super) fn state_word(status: JobStatus, interrupted: bool) -> String {
    if interrupted { format!("{} (interrupted)", status.word()) } else { status.word().to_owned() }
}

/// A job as it stands: hosts that are done with their results, the others with their state.
pub(super) struct JobReport(pub(super) JobView);

impl JobReport {
    fn outcomes(&self) -> Vec<(HostName, Outcome)> {
        self.0.outcomes().map(|(host, outcome)| (host.clone(), outcome.clone())).collect()
    }

    fn is_check(&self) -> bool {
        self.0.record.method.checked().is_some()
    }
}

impl Report for JobReport {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.shaped(&Shape::Folded, out)
    }

    fn shaped(&self, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
        let job = &self.0;
        let outcomes = self.outcomes();
        if !shape.is_for_people() {
            shape.write(&outcomes, out)?;
            let open = job.hosts.iter().filter(|(_, host)| host.state.outcome().is_none());
            let line = |(name, host): (&HostName, &HostView)| json!({ "host": name, "state": host.state.word() });
            return match shape {
                Shape::JsonLines => open.map(line).try_for_each(|line| writeln!(out, "{line}")),
                _ => Ok(()),
            };
        }
        writeln!(out, "{}  {}", state_word(job.status(), job.interrupted), job.id)?;
        if self.is_check() && *shape == Shape::Folded {
            write_plans(&outcomes, out)?;
        } else {
            shape.write(&outcomes, out)?;
        }
        let waiting = job.hosts.iter().filter(|(_, host)| host.state.outcome().is_none()).map(|(name, host)| {
            let unasked = host.unasked.as_ref().map(|why| format!("; not known now: {why}")).unwrap_or_default();
            (name.clone(), format!("{}{unasked}", host.state.word()))
        });
        for group in render::fold(waiting) {
            writeln!(out, "{}\n  {}", render::compress(&group.hosts), render::visible(&group.result))?;
        }
        for (host, why) in &job.unreadable {
            writeln!(out, "{}\n  its record cannot be read: {}", render::visible(host), render::visible(why))?;
        }
        if self.is_check() {
            let lines = standing::lines(job);
            let last = lines.len() - 1;
            let but = |index| if index == last && job.is_finished() { but(&outcomes) } else { String::new() };
            return lines.iter().enumerate().try_for_each(|(index, line)| writeln!(out, "{line}{}", but(index)));
        }
        standing::lines(job).iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    fn json(&self) -> serde_json::Value {
        self.0.to_json()
    }

    fn exit(&self) -> Exit {
        if self.0.is_finished() && self.0.unreadable.is_empty() {
            let exit = exit_of(self.0.outcomes().map(|(_, outcome)| outcome));
            if self.is_check() { exit_of_check(exit, &self.outcomes()) } else { exit }
        } else if self.0.is_finished() || self.0.is_stuck() {
            Exit::SomeFailed
        } else {
            Exit::StillRunning
        }
    }
}
