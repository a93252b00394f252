//! `func schedule add`: a call, and when it is made.

use clap::Args;

use super::{next_run, warn_if_nobody_runs_them};
use crate::cli::calling::Calling;
use crate::cli::confirm::confirm;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::fleet_options::overlord;
use crate::cli::report::{Lines, Report};
use crate::cli::secrets::Given;
use crate::config::Period;
use crate::ids::ScheduleName;
use crate::overlord::{Arguments, Overlap, Schedule, ScheduleError, Timetable, json_or_text};

/// Have a call made again and again, as `func call --async` would make it
///
/// CRON is minute, hour, day of the month, month and day of the week, like '30 2 * * mon-fri', or six fields with seconds before
/// them, or @hourly, @daily, @weekly, @monthly, @yearly. Whom the target means and what the words are is found out at each
/// run; a secret cannot be among them, for it would be kept. A run that could not begin in time is noted as missed, one whose last
/// job is still open as skipped; runs never pile up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  func schedule add disks '*/15 * * * *' '*' disk.usage\n  \
                        func schedule add nightly '30 2 * * *' --zone Europe/Prague '@db' backup.run full --batch 1 --max-fail 0\n  \
                        func schedule add reboots '0 4 * * sun' --catch-up 2h '@web' power.reboot --canary 1")]
pub(in crate::cli) struct Add {
    /// What to call it
    name: ScheduleName,
    /// When, as a cron expression
    cron: String,
    #[command(flatten)]
    call: Calling,
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
    /// How long each host may work on a run [default: what its minion allows]
    #[arg(long, value_name = "PERIOD")]
    job_timeout: Option<Period>,
    /// How long after a run's beginning hosts without a result are given up
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    give_up_after: Period,
}

impl Add {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if let Some(index) = self.call.words.iter().position(|word| Given::refers(&json_or_text(word))) {
            let secret = ScheduleError::Secret { method: self.call.method, position: index + 1 };
            return Err(crate::overlord::Error::from(secret).into());
        }
        let (replace, name) = (self.replace, self.name.clone());
        let overlord = overlord(context)?;
        let selection = self.call.fleet.select(&overlord, &self.call.target)?;
        let view = Context::block_on(async {
            if self.call.may_be_confirmed() {
                let Calling { method, fleet, .. } = &self.call;
                confirm(context, &overlord, &selection, method, fleet.call_options()).await?;
            }
            Ok(overlord.set_schedule(&name, self.schedule()?, replace).await?)
        })?;
        warn_if_nobody_runs_them(&overlord);
        Ok(Box::new(Lines { lines: vec![next_run(&view)], data: view.to_json(false) }))
    }

    fn schedule(self) -> Result<Schedule, Failure> {
        let zone = self.zone.unwrap_or_else(Timetable::zone_here);
        let cron = Timetable::parse(&self.cron, &zone).map_err(crate::overlord::Error::from)?.cron().to_owned();
        let call = self.call;
        let acceptance = call.fleet.left_after(std::time::Duration::ZERO);
        if acceptance.is_zero() {
            return Err(Failure::new(Exit::Usage, "no host can accept a job in no time; give --timeout a longer one"));
        }
        Ok(Schedule {
            cron,
            zone,
            target: call.target.as_str().to_owned(),
            exclude: call.fleet.exclude().map(|exclude| exclude.as_str().to_owned()),
            allow_unknown: call.fleet.allow_unknown(),
            method: call.sent(),
            filter: call.filter().map(|filter| filter.to_argument()),
            arguments: Arguments::Words(call.words),
            forks: call.fleet.forks as usize,
            acceptance,
            job_timeout: self.job_timeout.map(Period::duration),
            give_up_after: self.give_up_after.duration(),
            steps: call.rollout.steps(),
            catch_up: self.catch_up.duration(),
            overlap: if self.allow_overlap { Overlap::Allow } else { Overlap::Skip },
        })
    }
}
