//! Passing one call on.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};

use super::{SubOverlord, held::Order, way};
use crate::{
    fleet::{MOST_HOPS, Outcome, Pace, Request},
    ids::MinionJobId,
    minion::{builtin::Builtin, caller::Extras},
    plugin::Budget,
    wire::{Call, JobStatus, RemoteError, Value},
};

/// The longest that anybody waits for a job in one call, and a little more.
const LONGEST_WAIT: Duration = Duration::from_mins(6);
/// How long a host has to accept a job.
const ACCEPTANCE: Duration = Duration::from_secs(20);
/// How long a host waits for its job, and how long it has on top of that to begin its answer.
const LONG_POLL: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(10);
/// How fast the answer has to come then.
const PACE: Pace = Pace { piece: Duration::from_secs(10), total: Duration::from_mins(30) };
/// How long to leave a host alone that cannot be asked; twice as long each time, up to a bound.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl SubOverlord {
    /// `overlord.delegate`. The caller may make the call, that was judged before. An error comes before anything was sent.
    pub(in crate::minion) async fn pass_on(
        self: &Arc<Self>,
        builtin: &Builtin,
        caller: &str,
        extras: &Extras,
        longest: Duration,
        params: Vec<Value>,
    ) -> Result<(Outcome, Option<Budget>), RemoteError> {
        let [list, method, args] = builtin.args(params)?;
        let names = way(&list).ok_or_else(|| builtin.wrong(0, &list))?;
        let method = builtin.text(1, method)?;
        let Value::Array(args) = args else { return Err(builtin.wrong(2, &args)) };
        if names.len() > MOST_HOPS {
            let why = format!("a way of {} names; there are at most {MOST_HOPS}", names.len());
            return Err(RemoteError::new("InvalidArguments", why));
        }
        if method == "system.multicall" || method.starts_with("overlord.") || method == "jobs.open_ids" {
            return Err(RemoteError::new("NotCallable", format!("`{method}` is not passed on")));
        }
        let host = self.host(names)?;
        let fleet = self.fleet()?;
        let about =
            if method.starts_with("jobs.") { args.first().and_then(Value::as_str).map(str::parse) } else { None };
        if let Some(Ok(id)) = &about {
            if self
                .on_disk({
                    let id = MinionJobId::clone(id);
                    move |held| held.ordered(&id)
                })
                .await?
                .is_some_and(|order| order.caller != caller)
            {
                return Err(not_yours(id));
            }
            if asks_for_result(&method)
                && let Some(answer) = self.result(id).await?
            {
                return Ok((Outcome::Ok(answer), None));
            }
        }
        let mut request = Request::new(&Call::new(method.clone(), args));
        if let Some(job) = &extras.overlord_job {
            request = request.overlord_job(job);
        }
        if method.starts_with("async.") {
            let id = extras.job_id.clone().unwrap_or_else(MinionJobId::fresh);
            let order = Order { caller: caller.to_owned(), host: host.clone() };
            let kept = self
                .on_disk({
                    let id = id.clone();
                    move |held| held.order(&id, &order)
                })
                .await?;
            if kept.caller != caller {
                return Err(not_yours(&id));
            }
            let request = request.timeout(ACCEPTANCE.min(longest)).job(&id, extras.timeout);
            let outcome = fleet.call(&host, &request).await;
            if matches!(outcome, Outcome::Ok(_) | Outcome::Lost { .. } | Outcome::TimedOut { .. }) {
                self.fetch(id);
            }
            return Ok((outcome, None));
        }
        let time = extras.timeout.unwrap_or(longest);
        request = request.timeout(time.min(if about.is_some() { LONGEST_WAIT } else { longest }));
        let (to, mut heard) = mpsc::unbounded_channel();
        if extras.budget {
            request = request.budgets(to);
        }
        let outcome = tokio::select! {
            outcome = fleet.call(&host, &request) => outcome,
            // Whoever waits for a job is not waited for: the job outlives us, and is asked for again.
            () = self.stopping.cancelled(), if about.is_some() => {
                Outcome::Lost { why: "the minion that passes it on is stopping".into() }
            }
        };
        // It may have ended while nobody could be asked.
        if let (Some(Ok(id)), false) = (&about, outcome.is_ok())
            && asks_for_result(&method)
            && let Some(answer) = self.result(id).await?
        {
            return Ok((Outcome::Ok(answer), None));
        }
        Ok((outcome, heard.try_recv().ok().map(|(_, budget)| budget)))
    }

    /// Waits for a job's result and holds it, on a task of its own.
    pub(super) fn fetch(self: &Arc<Self>, id: MinionJobId) {
        let sub = Arc::clone(self);
        tokio::spawn(async move {
            let fetched = async {
                if let Err(error) = sub.fetch_result(&id).await {
                    tracing::warn!(%id, %error, "the result of a job that was passed on is not held here");
                }
            };
            tokio::select! {
                () = fetched => {}
                () = sub.stopping.cancelled() => {}
            }
        });
    }

    async fn fetch_result(&self, id: &MinionJobId) -> Result<(), RemoteError> {
        let asked = id.clone();
        let Some(order) = self.on_disk(move |held| held.ordered(&asked)).await? else { return Ok(()) };
        let seconds = i64::try_from(LONG_POLL.as_secs()).unwrap_or(i64::MAX);
        let question = Request::new(&Call::new("jobs.wait", vec![id.as_str().into(), seconds.into()]));
        let question = question.timeout(LONG_POLL + PATIENCE).pace(PACE);
        let mut pause = PAUSE;
        // Another task may have been at it.
        while self.result(id).await?.is_none() {
            let Outcome::Ok(answer) = self.fleet()?.call(&order.host, &question).await else {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            };
            match ended(&answer) {
                Some(true) => {
                    let id = id.clone();
                    self.on_disk(move |held| {
                        held.tidy();
                        held.keep(&id, &answer)
                    })
                    .await?;
                }
                Some(false) => pause = PAUSE,
                // It never got there. Whoever made it asks, and sends it again.
                None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn result(&self, id: &MinionJobId) -> Result<Option<Value>, RemoteError> {
        let id = id.clone();
        self.on_disk(move |held| held.result(&id)).await
    }

    /// Asks the files, on a thread that may sleep.
    async fn on_disk<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&super::Held) -> io::Result<T> + Send + 'static,
    ) -> Result<T, RemoteError> {
        let held = self.held.clone();
        let asked = tokio::task::spawn_blocking(move || ask(&held)).await.map_err(io::Error::other).flatten();
        asked.map_err(|error| {
            RemoteError::new("Unavailable", format!("what is kept of jobs that are passed on: {error}"))
        })
    }
}

/// Whether the answer is the job's result, once there is one.
fn asks_for_result(method: &str) -> bool {
    matches!(method, "jobs.job_status" | "jobs.wait" | "jobs.cancel")
}

/// Whether a job has ended; nothing if it is not known there.
fn ended(answer: &Value) -> Option<bool> {
    let Value::Array(pair) = answer else { return Some(false) };
    let [Value::Int(code), result] = &pair[..] else { return Some(false) };
    match JobStatus::from_code(*code) {
        Some(JobStatus::Lost) if RemoteError::from_value(result).is_none() => None,
        Some(JobStatus::Finished | JobStatus::RemoteError | JobStatus::Lost) => Some(true),
        Some(JobStatus::Running | JobStatus::Partial) | None => Some(false),
    }
}

fn not_yours(id: &MinionJobId) -> RemoteError {
    RemoteError::new("NoSuchJob", format!("there is no job `{id}` of yours"))
}
