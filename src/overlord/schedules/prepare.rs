//! What an overlord does about schedules.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::{
    Arguments, Keeper, Schedule, ScheduleError, ScheduleView, Seen,
    keeper::announce_change,
    transactions::{Ready, Verdict, claim, fail, judge, pause, remove, run_by_hand, schedule_of, set, upcoming},
    view::{view, views},
};
use crate::{
    fleet::Selection,
    ids::{OverlordJobId, ScheduleName},
    overlord::{
        CallOptions, Description, Error, FanOut, JobPlan, Overlord, json_or_text, lock::JobLock, signature::Parameter,
        typed,
    },
    store::Unreadable,
    telemetry::chain,
    wire::{Secrets, Value},
};

/// How long hosts may take to tell the types of a method.
const PATIENCE: Duration = Duration::from_secs(15);

impl Overlord {
    /// Sets a schedule, which waits for its next instant from now on. Its hosts are asked whether its arguments fit.
    pub async fn set_schedule(
        &self,
        name: &ScheduleName,
        schedule: Schedule,
        replace: bool,
    ) -> Result<ScheduleView, Error> {
        let table = schedule.timetable()?;
        let now = Timestamp::now();
        if table.next(now).is_none() {
            return Err(ScheduleError::Never { cron: schedule.cron }.into());
        }
        let selection = self.select(&schedule.selector()?)?;
        self.arguments_of(&schedule, &selection, true).await?;
        let (key, locks, who) = (name.clone(), self.ledger().locks().to_owned(), self.submitter());
        let view = self.ledger().begin(move |tables| {
            set(tables, &key, &schedule, replace, (who, now))?;
            view(tables, &locks, &key, now)
        });
        self.announced(view.await)
    }

    /// Takes a schedule away. Its jobs stay.
    pub async fn remove_schedule(&self, name: &ScheduleName) -> Result<(), Error> {
        let name = name.clone();
        let removed = self.ledger().transact(move |tables| remove(tables, &name)).await;
        self.announced(removed)
    }

    /// Pauses a schedule, or has it wait for its next instant again.
    pub async fn pause_schedule(&self, name: &ScheduleName, paused: bool) -> Result<ScheduleView, Error> {
        let (name, locks) = (name.clone(), self.ledger().locks().to_owned());
        let view = self.ledger().transact(move |tables| {
            let now = Timestamp::now();
            pause(tables, &name, paused, now)?;
            view(tables, &locks, &name, now)
        });
        self.announced(view.await)
    }

    /// Every schedule that can be read, by name, and the others.
    pub async fn schedules(&self) -> Result<(Vec<ScheduleView>, Vec<Unreadable>), Error> {
        let locks = self.ledger().locks().to_owned();
        match self.ledger().transact(move |tables| views(tables, &locks, Timestamp::now())).await {
            Err(Error::NoStore { .. }) => Ok((Vec::new(), Vec::new())),
            views => views,
        }
    }

    /// What comes next of each schedule that is not paused, which may have passed already.
    pub async fn upcoming_runs(&self) -> Result<Vec<(ScheduleName, Timestamp)>, Error> {
        match self.ledger().transact(move |tables| upcoming(tables, Timestamp::now())).await {
            Err(Error::NoStore { .. }) => Ok(Vec::new()),
            upcoming => upcoming,
        }
    }

    /// One of them.
    pub async fn schedule(&self, name: &ScheduleName) -> Result<ScheduleView, Error> {
        let (name, locks) = (name.clone(), self.ledger().locks().to_owned());
        self.ledger().transact(move |tables| view(tables, &locks, &name, Timestamp::now())).await
    }

    /// Makes the job of a schedule now, whatever its timetable says. It is the caller's to hand out.
    pub async fn run_schedule(&self, name: &ScheduleName) -> Result<FanOut, Error> {
        let key = name.clone();
        let schedule = self.ledger().transact(move |tables| schedule_of(tables, &key)).await?;
        let ready = self.ready(&schedule).await?;
        let (key, locks, who) = (name.clone(), self.ledger().locks().to_owned(), self.submitter());
        let made = self.ledger().transact(move |tables| run_by_hand(tables, &locks, &key, ready, &who)).await;
        self.announced(made).map(|made| self.of_claim(made))
    }

    /// Judges what is due of a schedule at `now`. The job of an instant that runs is the caller's to hand out.
    ///
    /// What goes wrong with the store is an error, and nothing is judged; whatever else keeps a job from being made is
    /// noted.
    pub async fn take_turn(&self, name: &ScheduleName, now: Timestamp) -> Result<Option<FanOut>, Error> {
        let key = name.clone();
        let (schedule, instant) = match self.ledger().transact(move |tables| judge(tables, &key, now)).await? {
            Verdict::Nothing => return Ok(None),
            Verdict::Run { schedule, instant } => (*schedule, instant),
        };
        let (key, locks) = (name.clone(), self.ledger().locks().to_owned());
        match self.ready(&schedule).await {
            Ok(ready) => {
                let made = self.ledger().transact(move |tables| claim(tables, &locks, &key, ready, instant)).await?;
                Ok(made.map(|made| self.of_claim(made)))
            }
            Err(error @ Error::Store(_)) => Err(error),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(schedule = %name, why, "a run cannot begin");
                self.ledger().transact(move |tables| fail(tables, &key, &schedule, instant, &why)).await?;
                Ok(None)
            }
        }
    }

    /// Becomes the process that sees to the schedules, if none is.
    pub fn keep_schedules(&self) -> std::io::Result<Option<Keeper>> {
        Keeper::take(&self.schedules_lock())
    }

    /// Whether some process sees to the schedules.
    pub fn schedules_are_kept(&self) -> bool {
        Keeper::is_there(&self.schedules_lock())
    }

    /// When a schedule was changed last.
    pub fn schedules_changed(&self) -> Seen {
        Seen::now(&self.schedules_lock())
    }

    fn schedules_lock(&self) -> PathBuf {
        self.store_folder().with_file_name("schedules.lock")
    }

    /// Whoever sees to the schedules looks again. It does so after a while without being told.
    fn announced<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        if done.is_ok()
            && let Err(error) = announce_change(&self.schedules_lock())
        {
            tracing::debug!(%error, "cannot tell that a schedule was changed");
        }
        done
    }

    fn of_claim(&self, (id, lock): (OverlordJobId, JobLock)) -> FanOut {
        FanOut::new(self.clone(), id, lock)
    }

    /// Whom it means now, and what it says to them.
    async fn ready(&self, schedule: &Schedule) -> Result<Ready, Error> {
        let selection = self.select(&schedule.selector()?)?;
        let mut args = self.arguments_of(schedule, &selection, false).await?;
        args.splice(0..0, schedule.filter.clone());
        let options = schedule.job_options(selection.hosts.len());
        let record = self.new_record(&schedule.target, schedule.method.clone(), args, options, selection.len())?;
        let plan = JobPlan { acceptance: options.acceptance, rollout: options.rollout, retry_of: None };
        Ok(Ready { schedule: schedule.clone(), record, plan, selection })
    }

    /// The arguments as values of the method's types. There is no secret among them; `strictly` means that this must be known.
    async fn arguments_of(
        &self,
        schedule: &Schedule,
        selection: &Selection,
        strictly: bool,
    ) -> Result<Vec<Value>, Error> {
        let method = schedule.method.checked().unwrap_or_else(|| schedule.method.clone());
        let options = CallOptions {
            forks: schedule.forks.max(1),
            timeout: Some(schedule.acceptance.min(PATIENCE)),
            ..CallOptions::default()
        };
        let described = match self.describe(selection, &method, options).await? {
            Description::Known(described) => Some(described),
            Description::Missing { why, .. } => return Err(ScheduleError::Missing { method, why }.into()),
            Description::Unreached | Description::Undescribed if strictly && !schedule.arguments.is_empty() => {
                return Err(ScheduleError::Untold { method }.into());
            }
            Description::Unreached | Description::Undescribed => None,
        };
        let values = match (&schedule.arguments, &described) {
            (Arguments::Values(values), _) => values.clone(),
            (Arguments::Words(words), None) => words.iter().map(|word| json_or_text(word)).collect(),
            (Arguments::Words(words), Some(described)) => typed(&method, words, &described.parameters)
                .map_err(|source| ScheduleError::Misfit { source, signature: described.signature(&method) })?,
        };
        let parameters = described.map(|described| described.parameters).unwrap_or_default();
        match values.iter().enumerate().find(|(index, value)| is_secret(value, parameters.get(*index))) {
            Some((index, _)) => Err(ScheduleError::Secret { method, position: index + 1 }.into()),
            None => Ok(values),
        }
    }
}

/// Whether anything of a value is a secret, by itself or to the method.
fn is_secret(value: &Value, parameter: Option<&Parameter>) -> bool {
    let sealed = parameter.map(|parameter| parameter.secrecy.seal(value.clone()));
    !Secrets::of(std::slice::from_ref(sealed.as_ref().unwrap_or(value))).is_empty()
}
