//! Waiting for the results of jobs that were passed on, so that they are held here when somebody asks.
//!
//! However many there are, at a restart all of them, each is waited for once, and so many are asked about at a time. As long as
//! others wait for their turn nobody is asked to wait for long.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, time::sleep};

use super::SubOverlord;
use crate::{
    fleet::{Outcome, Pace, Request},
    ids::MinionJobId,
    wire::{Call, JobStatus, RemoteError, Value},
};

/// So many are asked about at a time.
const AT_ONCE: usize = 256;
/// How long a host waits for its job, also where others want to be asked about theirs, and how long it has on top of that to
/// begin its answer.
const LONG_POLL: Duration = Duration::from_secs(20);
const SHORT_POLL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// How fast the answer has to come then.
const PACE: Pace = Pace { piece: Duration::from_secs(10), total: Duration::from_mins(30) };
/// How long to leave a host alone that cannot be asked; twice as long each time, up to a bound.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What is waited for.
#[derive(Debug)]
pub(super) struct Fetching {
    jobs: Mutex<HashSet<MinionJobId>>,
    places: Semaphore,
}

impl Default for Fetching {
    fn default() -> Self {
        Self { jobs: Mutex::default(), places: Semaphore::new(AT_ONCE) }
    }
}

impl SubOverlord {
    /// Waits for a job's result and holds it, on a task of its own, unless there is one.
    pub(super) fn fetch(self: &Arc<Self>, id: MinionJobId) {
        if !self.fetching.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
            return;
        }
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
            sub.fetching.jobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }

    async fn fetch_result(&self, id: &MinionJobId) -> Result<(), RemoteError> {
        let Some(order) = self.held.ordered(id) else { return Ok(()) };
        let mut pause = PAUSE;
        while !self.held.has_ended(id) {
            let Ok(place) = self.fetching.places.acquire().await else { return Ok(()) };
            let poll = if self.fetching.places.available_permits() == 0 { SHORT_POLL } else { LONG_POLL };
            let seconds = i64::try_from(poll.as_secs()).unwrap_or(i64::MAX);
            let question = Request::new(&Call::new("jobs.wait", vec![id.as_str().into(), seconds.into()]));
            let question = question.timeout(poll + PATIENCE).pace(PACE).on_behalf_of(None, &order.caller);
            let answer = self.fleet()?.call(&order.host, &question).await;
            drop(place);
            let Outcome::Ok(answer) = answer else {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            };
            match ended(&answer) {
                Some(true) => {
                    let id = id.clone();
                    self.on_disk(move |held| held.keep(&id, &answer)).await?;
                }
                Some(false) => pause = PAUSE,
                // It never got there. Whoever made it asks, and sends it again.
                None => return Ok(()),
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        ca::Authority,
        fleet::tests::server::*,
        minion::{
            MinionConfig,
            delegation::held::{Held, Order},
            identity,
        },
        tls::Role,
        wire::Answer,
    };

    fn overlord(authority: &Authority, folder: &std::path::Path) -> Arc<SubOverlord> {
        let mut config = MinionConfig::default();
        config.overlord.inventory = Some(folder.join("minions.toml"));
        config.overlord.results = folder.to_owned();
        let identity = identity::following(issue(authority, "sub", Role::SubOverlord), &config.identity).unwrap();
        SubOverlord::open(&config, &identity, &CancellationToken::new()).unwrap().unwrap()
    }

    #[tokio::test]
    async fn after_a_restart_no_more_are_asked_about_at_a_time_than_there_are_places() {
        const JOBS: usize = 3 * AT_ONCE / 2;
        let (authority, folder) = (authority(), tempfile::tempdir().unwrap());
        let now = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (asked, highest) = (Arc::clone(&now), Arc::clone(&most));
        let behaviour: Behaviour = Arc::new(move |_, _| {
            highest.fetch_max(asked.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let asked = Arc::clone(&asked);
            Reaction::Later(Box::pin(async move {
                sleep(Duration::from_millis(300)).await;
                asked.fetch_sub(1, Ordering::SeqCst);
                Answer::Value(Value::Array(vec![JobStatus::Finished.code().into(), "done".into()]))
            }))
        });
        let leaf = serve(&authority, "leaf", behaviour).await;
        let held = Held::open(folder.path()).unwrap();
        for _ in 0..JOBS {
            let order = Order { caller: "boss".into(), host: leaf.host.clone() };
            held.order(&MinionJobId::fresh(), &order).unwrap();
        }
        drop(held);
        let sub = overlord(&authority, folder.path());
        for id in sub.held.waited_for() {
            // Whoever submits it again has it waited for no second time.
            sub.fetch(id);
        }
        assert_eq!(sub.fetching.jobs.lock().unwrap().len(), JOBS);
        tokio::time::timeout(Duration::from_secs(15), async {
            while !sub.held.waited_for().is_empty() || !sub.fetching.jobs.lock().unwrap().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        assert!(most.load(Ordering::SeqCst) <= AT_ONCE, "{most:?}");
    }
}
