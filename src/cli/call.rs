//! `func call`: one method on many machines.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::budget::WithBudgets;
use super::calling::Calling;
use super::check::Checked;
use super::confirm::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::overlord;
use super::follow::{ending, followed};
use super::handing_out::{attended, hand_out_and_wait};
use super::hints;
use super::outcomes::Outcomes;
use super::progress::Progress;
use super::report::{Lines, Report, Silent};
use super::secrets::Given;
use super::shape::ShapeOptions;
use super::signature;
use super::stop::Interrupts;
use crate::config::Period;
use crate::fleet::{Request, Selection};
use crate::overlord::{CallOptions, FanOut, JobOptions, Overlord};
use crate::sys::detach::{Detached, Reporter, detach};
use crate::wire::{self, Value};

/// Call a method on every chosen minion
///
/// Words after the method become what its types demand; write lists and structs as JSON. In place of a secret, such as a
/// password, stands `@secret:FILE`, `@secret:-` (standard input) or `@secret:?` (asks on the terminal).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  func call '*' test.add 1 2\n  func call 'web*;db1' disk.usage\n  \
                        func call '*' test.progress 10 --async --no-wait\n  \
                        func call '*' process.kill 4711 --check\n  func call web1 users.password bob @secret:?")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Call {
    #[command(flatten)]
    what: Calling,
    #[command(flatten)]
    shape: ShapeOptions,
    /// Say what the call has used on each host: time, memory, host functions, denials
    #[arg(long, conflicts_with = "no_wait")]
    budget: bool,
    /// Run it as a job: the minions answer at once and work in the background
    #[arg(long = "async")]
    background: bool,
    /// Print the job's id and return; the fan-out and the wait go on in the background
    #[arg(long, requires = "background")]
    no_wait: bool,
    /// Run it as a job and show what the hosts log and how far they are, as it comes; see `func job follow`
    #[arg(long, conflicts_with_all = ["no_wait", "budget", "jsonl"])]
    follow: bool,
    /// How long each host may work on the job [default: what its minion allows]
    #[arg(long, value_name = "PERIOD", requires = "background")]
    job_timeout: Option<Period>,
    /// How long after its submission hosts without a result are given up
    #[arg(long, value_name = "PERIOD", requires = "background", default_value = "7d")]
    give_up_after: Period,
    #[arg(skip)]
    given: Given,
}

impl Call {
    /// Calls, and reports what became of it on every host.
    pub(super) fn run(mut self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        // While there is a terminal, and before anybody is asked to wait.
        self.given = Given::gather(&self.what.words)?;
        if self.no_wait {
            return self.run_in_the_background(context);
        }
        let shape = self.shape.shape(context)?;
        let overlord = overlord(context)?;
        let selection = self.what.fleet.select(&overlord, &self.what.target)?;
        warn_of_unmatched(&selection);
        if self.follow {
            let report = Context::block_on(async {
                self.confirm(context, &overlord, &selection).await?;
                let progress = Progress::of_hosts(context, &shape, selection.names());
                let (interrupts, fan_out) = self.submit_attended(&overlord, selection).await?;
                let id = fan_out.id().clone();
                Context::say(format!("job {id}"));
                let work = hand_out_and_wait(&overlord, fan_out, &progress);
                let work = Box::pin(followed(context, &overlord, &id, &progress, work));
                attended(interrupts, &overlord, &id, &progress, work).await
            })?;
            return Ok(ending(context, shape.of(report, false)));
        }
        if self.background {
            let report = Context::block_on(async {
                self.confirm(context, &overlord, &selection).await?;
                let progress = Progress::of_hosts(context, &shape, selection.names());
                let (interrupts, fan_out) = self.submit_attended(&overlord, selection).await?;
                let id = fan_out.id().clone();
                // Whoever is killed, on a terminal or not, knows what to ask for.
                Context::say(format!("job {id}"));
                let work = hand_out_and_wait(&overlord, fan_out, &progress);
                let report = attended(interrupts, &overlord, &id, &progress, work).await?;
                if !self.budget {
                    return Ok(report);
                }
                let budgets = overlord.budgets(&id).await?;
                Ok(Box::new(WithBudgets { report, budgets }) as Box<dyn Report>)
            })?;
            return Ok(shape.of(report, true));
        }
        let (to, mut budgets) = mpsc::unbounded_channel();
        let hosts = Context::block_on(async {
            self.confirm(context, &overlord, &selection).await?;
            let began = Instant::now();
            let args = self.arguments(&overlord, &selection).await?;
            let progress = Progress::of_hosts(context, &shape, selection.names());
            let rollout = self.what.rollout.for_hosts(selection.hosts.len());
            let options = CallOptions { rollout, ..self.what.fleet.call_options_after(began.elapsed()) };
            let mut request = Request::new(&wire::Call::new(self.what.sent().to_string(), args));
            if self.budget {
                request = request.budgets(to);
            }
            let mut answers = pin!(overlord.send(selection, request, options)?);
            let mut hosts = Vec::new();
            let filter = self.what.filter();
            while let Some((host, outcome)) = answers.next().await {
                let outcome = match &filter {
                    Some(filter) => outcome.past_filter(filter),
                    None => outcome,
                };
                progress.ended(&host, &outcome);
                hosts.push((host, outcome));
            }
            Ok(hosts)
        })?;
        let outcomes = Outcomes { method: self.what.sent().to_string(), hosts };
        if !context.json {
            hints::of_unreachable(&outcomes.hosts);
        }
        let outcomes: Box<dyn Report> = if self.what.check { Box::new(Checked(outcomes)) } else { Box::new(outcomes) };
        if !self.budget {
            return Ok(shape.of(outcomes, true));
        }
        let budgets = std::iter::from_fn(|| budgets.try_recv().ok()).collect();
        Ok(shape.of(Box::new(WithBudgets { report: outcomes, budgets }), true))
    }

    /// Asks whether the call is meant, if it may change many hosts.
    async fn confirm(&self, context: &Context, overlord: &Overlord, selection: &Selection) -> Result<(), Failure> {
        if !self.what.may_be_confirmed() {
            return Ok(());
        }
        confirm(context, overlord, selection, &self.what.method, self.what.fleet.call_options()).await
    }

    /// The words as values of the method's types.
    async fn arguments(&self, overlord: &Overlord, selection: &Selection) -> Result<Vec<Value>, Failure> {
        let Calling { method, words, fleet, .. } = &self.what;
        let options = fleet.call_options();
        let mut args = signature::arguments(overlord, selection, method, words, &self.given, options).await?;
        if let Some(filter) = self.what.filter() {
            args.insert(0, filter.to_argument());
        }
        Ok(args)
    }

    /// Writes the whole job durably; nothing is sent yet. Ctrl-C ends the command while there is no job, and waits from then
    /// on until the operator can be told the job's id.
    async fn submit_attended(
        &self,
        overlord: &Overlord,
        selection: Selection,
    ) -> Result<(Interrupts, FanOut), Failure> {
        let began = Instant::now();
        let args = self.arguments(overlord, &selection).await?;
        let interrupts = Interrupts::listen().await?;
        Ok((interrupts, self.submit(overlord, selection, args, began.elapsed()).await?))
    }

    /// The same, when so much of the time for its acceptance has been spent.
    async fn submit(
        &self,
        overlord: &Overlord,
        selection: Selection,
        args: Vec<Value>,
        spent: Duration,
    ) -> Result<FanOut, Failure> {
        let options = JobOptions {
            forks: self.what.fleet.forks as usize,
            acceptance: self.what.fleet.left_after(spent),
            timeout: self.job_timeout.map(Period::duration),
            give_up_after: self.give_up_after.duration(),
            rollout: self.what.rollout.for_hosts(selection.hosts.len()),
        };
        Ok(overlord.submit(self.what.target.as_str(), selection, self.what.sent(), args, options).await?)
    }

    /// Splits the process while it has one thread. The half in front prints the id as soon as the half in
    /// the back has made the job durable.
    fn run_in_the_background(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if io::stdin().is_terminal() {
            let overlord = overlord(context)?;
            let selection = self.what.fleet.select(&overlord, &self.what.target)?;
            Context::block_on_this_thread(self.confirm(context, &overlord, &selection))?;
        }
        match detach().or_exit(Exit::Internal)? {
            Detached::Caller(report) if report.exit_code == Exit::StillRunning as u8 => {
                let data = serde_json::json!({ "job": report.text });
                Ok(Box::new(Lines { lines: vec![report.text], data }))
            }
            Detached::Caller(report) => {
                use io::Write as _;
                let _ = anstream::stderr().lock().write_all(report.text.as_bytes());
                Ok(Box::new(Silent(Exit::of_code(report.exit_code))))
            }
            Detached::Background(reporter) => {
                // Nobody looks on; the job's records say what becomes of it.
                let _ = self.go_on_alone(context, reporter);
                Ok(Box::new(Silent(Exit::Ok)))
            }
        }
    }

    fn go_on_alone(self, context: &Context, reporter: Reporter) -> Result<(), Failure> {
        let prepared = overlord(context).and_then(|overlord| {
            let selection = self.what.fleet.select(&overlord, &self.what.target)?;
            Ok((overlord, selection))
        });
        Context::block_on(async {
            let submitted = async {
                let (overlord, selection) = prepared?;
                let began = Instant::now();
                let args = self.arguments(&overlord, &selection).await?;
                let fan_out = self.submit(&overlord, selection, args, began.elapsed()).await?;
                Ok::<_, Failure>((overlord, fan_out))
            };
            match submitted.await {
                Ok((overlord, fan_out)) => {
                    reporter.report(Exit::StillRunning as u8, fan_out.id().as_str()).or_exit(Exit::Internal)?;
                    hand_out_and_wait(&overlord, fan_out, &Progress::hidden()).await.map(drop)
                }
                Err(failure) => {
                    reporter.report(failure.exit() as u8, &failure.to_text(context.json)).or_exit(Exit::Internal)
                }
            }
        })
    }
}

/// A part of a target that chose nobody is likely a slip.
fn warn_of_unmatched(selection: &Selection) {
    for part in &selection.unmatched {
        Context::warn(format!("no host matches `{part}`"));
    }
}
