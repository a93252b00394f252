//! Passing one call on.

use std::{io, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    SubOverlord,
    held::{Kept, Order},
    way,
};
use crate::{
    fleet::{Fleet, MAP, MOST_HOPS, Outcome, Request},
    ids::MinionJobId,
    minion::{builtin::Builtin, caller::Extras, job_methods},
    plugin::Budget,
    wire::{Call, JobStatus, RemoteError, Value},
};

/// The longest that anybody waits for a job in one call, and a little more.
const LONGEST_WAIT: Duration = Duration::from_mins(6);
/// How long a host has to accept a job.
const ACCEPTANCE: Duration = Duration::from_secs(20);

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
        if method == "system.multicall"
            || (method.starts_with("overlord.") && method != MAP)
            || method == "jobs.open_ids"
        {
            return Err(RemoteError::new("NotCallable", format!("`{method}` is not passed on")));
        }
        let places = if job_methods::waits(&method) { &self.waiting } else { &self.calling };
        let _place = places.take(caller)?;
        let host = self.host(names)?;
        let fleet = self.fleet()?;
        let about =
            if method.starts_with("jobs.") { args.first().and_then(Value::as_str).map(str::parse) } else { None };
        if let Some(Ok(id)) = &about
            && let Some(answer) =
                self.answer_about(id, &method, Order { caller: caller.to_owned(), host: host.clone() }).await?
        {
            return Ok((answer, None));
        }
        let mut request =
            Request::new(&Call::new(method.clone(), args)).on_behalf_of(extras.on_behalf_of.as_deref(), caller);
        if let Some(job) = &extras.overlord_job {
            request = request.overlord_job(job);
        }
        if method.starts_with("async.") {
            let id = extras.job_id.clone().unwrap_or_else(MinionJobId::fresh);
            let request = request.timeout(ACCEPTANCE.min(longest)).job(&id, extras.timeout);
            return Ok((self.submit(id, Order { caller: caller.to_owned(), host }, &fleet, &request).await?, None));
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

    /// What can be said here about a job; nothing if the leaf is to be asked: it is the caller's, and has not ended. To the
    /// leaf all jobs that come from here are ours, also those of others.
    async fn answer_about(&self, id: &MinionJobId, method: &str, asker: Order) -> Result<Option<Outcome>, RemoteError> {
        let mut known = self.held.ordered(id);
        if known.is_none() && method == "jobs.cancel" {
            // Its submission may still be on its way here.
            let cancelled = RemoteError::new("Cancelled", "the job was cancelled before it was passed on");
            let answer = Value::Array(vec![JobStatus::RemoteError.code().into(), cancelled.to_value()]);
            let (never, order, told) = (id.clone(), asker.clone(), answer.clone());
            match self.on_disk(move |held| held.rule_out(&never, &order, &told)).await? {
                Kept::New => return Ok(Some(Outcome::Ok(answer))),
                Kept::Known { order, .. } => known = Some(order),
                Kept::Full => return Err(full()),
            }
        }
        let is_theirs = known.is_some_and(|order| order.caller == asker.caller && order.host.name == asker.host.name);
        Ok(match (is_theirs, asks_for_result(method)) {
            (true, true) => self.result(id).await?.map(Outcome::Ok),
            (true, false) => None,
            (false, true) => Some(Outcome::Ok(Value::Array(vec![JobStatus::Lost.code().into(), Value::Int(0)]))),
            (false, false) => Some(Outcome::Failed(not_yours(id))),
        })
    }

    /// Passes a job on, unless it has ended already. One that the leaf did not take is nobody's: its id may be that of a job of
    /// our own there.
    async fn submit(
        self: &Arc<Self>,
        id: MinionJobId,
        order: Order,
        fleet: &Fleet,
        request: &Request,
    ) -> Result<Outcome, RemoteError> {
        let keep = || {
            let (id, order) = (id.clone(), order.clone());
            self.on_disk(move |held| held.order(&id, &order))
        };
        let is_new = match keep().await? {
            Kept::New => true,
            Kept::Known { order: known, .. } if known.caller != order.caller => {
                return Err(not_yours(&id));
            }
            Kept::Known { ended: true, .. } => return Ok(Outcome::Ok(id.as_str().into())),
            Kept::Known { .. } => false,
            Kept::Full => return Err(full()),
        };
        let outcome = fleet.call(&order.host, request).await;
        if matches!(outcome, Outcome::Ok(_) | Outcome::Lost { .. } | Outcome::TimedOut { .. }) {
            // The same submission, failing beside this one, may have withdrawn it.
            keep().await?;
            self.fetch(id);
        } else if is_new {
            self.held.withdraw(&id);
        }
        Ok(outcome)
    }

    async fn result(&self, id: &MinionJobId) -> Result<Option<Value>, RemoteError> {
        let id = id.clone();
        self.on_disk(move |held| held.give(&id)).await
    }

    /// Asks the files, on a thread that may sleep.
    pub(super) async fn on_disk<T: Send + 'static>(
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

fn not_yours(id: &MinionJobId) -> RemoteError {
    RemoteError::new("NoSuchJob", format!("there is no job `{id}` of yours"))
}

fn full() -> RemoteError {
    let why = "of the jobs that this minion passed on it holds as many of yours as it may; fetch the results of some, with \
               `func job wait`";
    RemoteError::new("Busy", why)
}
