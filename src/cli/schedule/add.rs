//! `func schedule add`: a call, and when it is made.

use clap::Args;

use super::{next_run, warn_if_nobody_runs_them};
use crate::cli::confirm::confirm;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::fleet_options::{FleetOptions, overlord};
use crate::cli::report::{Lines, Report};
use crate::cli::rollout_options::RolloutOptions;
use crate::cli::secrets::Given;
use crate::config::Period;
use crate::fleet::{Filter, Target};
use crate::ids::{MethodName, ScheduleName};
use crate::overlord::{Arguments, Overlap, Schedule, ScheduleError, Timetable, json_or_text};

/// Have a call made again and again, as `func call --async` would make it
///
/// CRON is minute, hour, day of the month, month and day of the week, like '30 2 * * mon-fri', or six fields with seconds before
/// them, or @hourly, @daily, @weekly, @monthly, @yearly. Whom the target means and what the words are is found out at each
/// run. A run that could not begin in time is noted as missed, one whose last job is still open as skipped; runs never pile up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  func schedule add disks '*/15 * * * *' '*' disk.usage\n  \
                        func schedule add nightly '30 2 * * *' --zone Europe/Prague '@db' backup.run full --batch 1 --max-fail 0\n  \
                        func schedule add reboots '0 4 * * sun' --catch-up 2h '@web' power.reboot --canary 1")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Add {
    /// What to call it
    name: ScheduleName,
    /// When, as a cron expression
    cron: String,
    /// Whom: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    target: Target,
    /// What: MODULE.METHOD
    method: MethodName,
    /// With what; no secrets, for they would be kept
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    words: Vec<String>,
    /// The time zone of the expression, like Europe/Prague [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// How late a run may begin; of more than one that was not begun in time, only the last
    #[arg(long, value_name = "PERIOD", default_value = "1m")]
    catch_up: Period,
    /// Begin a run also while the job of the last one is open
    #[arg(long)]
    allow_overlap: bool,
    /// Set a schedule of this name anew; it keeps its history
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    fleet: FleetOptions,
    #[command(flatten)]
    rollout: RolloutOptions,
    /// Only where these facts hold, as each host says itself, like `os_id=debian,cpus>=4` or `not rack:7`
    #[arg(long, value_name = "FACTS")]
    filter: Vec<Filter>,
    /// Only where any of these holds; and all of `--filter`, if there are some
    #[arg(long, value_name = "FACTS")]
    filter_or: Vec<Filter>,
    /// Change nothing: have each run say what the method would do
    #[arg(long)]
    check: bool,
    /// How long each host may work on a run [default: what its minion allows]
    #[arg(long, value_name = "PERIOD")]
    job_timeout: Option<Period>,
    /// How long after a run's beginning hosts without a result are given up
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    give_up_after: Period,
    /// Do not ask, however many hosts it may change; asked is only on a terminal
    #[arg(long, short)]
    yes: bool,
}

impl Add {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if let Some(index) = self.words.iter().position(|word| Given::refers(&json_or_text(word))) {
            let secret = ScheduleError::Secret { method: self.method, position: index + 1 };
            return Err(crate::overlord::Error::from(secret).into());
        }
        let (yes, replace, name) = (self.yes || self.check, self.replace, self.name.clone());
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        let view = Context::block_on(async {
            if !yes {
                confirm(context, &overlord, &selection, &self.method, self.fleet.call_options()).await?;
            }
            Ok(overlord.set_schedule(&name, self.schedule()?, replace).await?)
        })?;
        warn_if_nobody_runs_them(&overlord);
        Ok(Box::new(Lines { lines: vec![next_run(&view)], data: view.to_json(false) }))
    }

    fn schedule(self) -> Result<Schedule, Failure> {
        let zone = self.zone.unwrap_or_else(Timetable::zone_here);
        let cron = Timetable::parse(&self.cron, &zone).map_err(crate::overlord::Error::from)?.cron().to_owned();
        let acceptance = self.fleet.left_after(std::time::Duration::ZERO);
        if acceptance.is_zero() {
            return Err(Failure::new(Exit::Usage, "no host can accept a job in no time; give --timeout a longer one"));
        }
        Ok(Schedule {
            cron,
            zone,
            target: self.target.as_str().to_owned(),
            exclude: self.fleet.exclude().map(|exclude| exclude.as_str().to_owned()),
            allow_unknown: self.fleet.allow_unknown(),
            method: if self.check { self.method.check() } else { self.method },
            arguments: Arguments::Words(self.words),
            filter: Filter::of(&self.filter, &self.filter_or).map(|filter| filter.to_argument()),
            forks: self.fleet.forks as usize,
            acceptance,
            job_timeout: self.job_timeout.map(Period::duration),
            give_up_after: self.give_up_after.duration(),
            steps: self.rollout.steps(),
            catch_up: self.catch_up.duration(),
            overlap: if self.allow_overlap { Overlap::Allow } else { Overlap::Skip },
        })
    }
}
