//! Many hosts at once, a bounded number at a time, and as many as its stage allows.

use std::{
    collections::HashSet,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    time::Duration,
};

use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt};
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

use super::{Fleet, Outcome, Passing, Reason, Request, Rollout, Stage, Tally};
use crate::{ca::Host, ids::HostName};

/// How long before a host that could not be reached is tried again: twice as long each time, up to a bound.
const BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// How wide a fan-out is, and in which steps it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// At most this many calls are in flight.
    pub forks: usize,
    /// When who is asked.
    pub rollout: Rollout,
}

impl Width {
    /// Everybody, at most so many at a time.
    pub fn of(forks: usize) -> Self {
        Self { forks, rollout: Rollout::default() }
    }
}

impl Fleet {
    /// Calls each host with its request and yields what became of each as it becomes known; hosts that are not asked,
    /// because of what became of others, come last.
    ///
    /// A host named twice is called once, and one through whom others are called after they have answered. Dropping the stream gives up the calls in flight.
    pub fn fan_out<I>(&self, calls: I, width: Width) -> impl Stream<Item = (HostName, Outcome)> + Send + use<I>
    where
        I: IntoIterator<Item = (Host, Request)>,
    {
        let mut seen = HashSet::new();
        let mut calls: Vec<_> = calls.into_iter().filter(|(host, _)| seen.insert(host.name.clone())).collect();
        calls.reverse();
        let run = Run {
            fleet: self.clone(),
            forks: width.forks.max(1),
            rollout: width.rollout,
            stage: width.rollout.first(calls.len()),
            hosts: calls.len(),
            waiting: calls,
            in_flight: FuturesUnordered::new(),
            passing: Passing::default(),
            failed: 0,
        };
        Box::pin(stream::unfold(run, |mut run| async move { run.next().await.map(|end| (end, run)) }))
    }

    /// Starts one call, on a task of its own so that all cores work. Dropping the future gives the call up.
    pub fn spawn(&self, host: Host, request: Request) -> impl Future<Output = (HostName, Outcome)> + Send + use<> {
        let call = self.spawn_stubborn(host, request, 0);
        async move {
            let (host, outcome, _) = call.await;
            (host, outcome)
        }
    }

    /// The same; a host that cannot be reached, so that nothing of the call was sent, is tried again so often. Answers how often it
    /// was tried in all, too.
    pub fn spawn_stubborn(
        &self,
        host: Host,
        request: Request,
        retry: u32,
    ) -> impl Future<Output = (HostName, Outcome, u32)> + Send + use<> {
        let fleet = self.clone();
        let name = host.name.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut tried = 0;
            loop {
                match fleet.call(&host, &request).await {
                    Outcome::Unreachable { .. } if tried < retry => {
                        tokio::time::sleep(backoff(&host.name, tried)).await;
                        tried += 1;
                    }
                    outcome => return (outcome, tried.saturating_add(1)),
                }
            }
        }));
        async move {
            let broke_off = |error| (Outcome::Lost { why: Reason::new("the call broke off", error) }, 1);
            let (outcome, tries) = task.await.unwrap_or_else(broke_off);
            (name, outcome, tries)
        }
    }
}

/// Each host has its own, so that a switch that comes back is not met by all of them at one moment.
fn backoff(host: &HostName, tried: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (host.as_str(), tried).hash(&mut hasher);
    let spread = u32::try_from(hasher.finish() % 512).unwrap_or_default();
    let whole = BACKOFF.saturating_mul(1_u32.checked_shl(tried).unwrap_or(u32::MAX)).min(LONGEST_BACKOFF);
    whole * (768 + spread) / 1024
}

/// A call that has been started.
type InFlight = Pin<Box<dyn Future<Output = (HostName, Outcome, u32)> + Send>>;

/// A fan-out under way.
struct Run {
    fleet: Fleet,
    forks: usize,
    rollout: Rollout,
    stage: Stage,
    hosts: usize,
    /// Those that were not asked, the next one last.
    waiting: Vec<(Host, Request)>,
    in_flight: FuturesUnordered<InFlight>,
    passing: Passing,
    failed: usize,
}

impl Run {
    /// The next host that ends.
    async fn next(&mut self) -> Option<(HostName, Outcome)> {
        loop {
            let asked = self.hosts - self.waiting.len();
            let upto = match self.stage {
                Stage::Asking { upto } | Stage::Pausing { upto, .. } => upto,
                Stage::Asked | Stage::Stopped(_) => asked,
            };
            let tally = Tally { unasked: upto - asked, open: self.in_flight.len(), failed: self.failed };
            let now = Timestamp::now();
            if let Some(next) = self.rollout.next(&self.stage, tally, self.hosts, now) {
                self.stage = next;
                continue;
            }
            if let Stage::Pausing { until, .. } = self.stage {
                tokio::time::sleep(self.rollout.left_of_pause(until, now)).await;
                continue;
            }
            for _ in 0..tally.unasked.min(self.forks.saturating_sub(self.in_flight.len())) {
                let Some((host, request)) = self.next_waiting() else { break };
                self.passing.begins(&host);
                self.in_flight.push(Box::pin(self.fleet.spawn_stubborn(host, request, self.rollout.retry)));
            }
            if let Some((host, outcome, _)) = self.in_flight.next().await {
                self.passing.ended(&host);
                self.failed += usize::from(!outcome.is_ok());
                return Some((host, outcome));
            }
            let Stage::Stopped(reason) = &self.stage else { return None };
            return self.waiting.pop().map(|(host, _)| (host.name, Outcome::Skipped(reason.clone())));
        }
    }

    /// The next one through whom nobody is being called.
    fn next_waiting(&mut self) -> Option<(Host, Request)> {
        let next = self.waiting.iter().rposition(|(host, _)| self.passing.leaves_alone(&host.name))?;
        Some(self.waiting.remove(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_waits_longer_and_hosts_do_not_come_at_one_moment() {
        let host = |name: &str| name.parse::<HostName>().unwrap();
        let waits: Vec<_> = (0..40).map(|tried| backoff(&host("web1"), tried)).collect();
        assert!(waits[..5].is_sorted() && waits[0] >= BACKOFF / 2, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= LONGEST_BACKOFF * 5 / 4), "{waits:?}");
        assert_ne!(backoff(&host("web1"), 3), backoff(&host("web2"), 3));
    }
}
