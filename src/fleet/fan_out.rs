//! Many hosts at once, a bounded number at a time.

use std::{
    collections::HashSet,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::stream::{self, Stream, StreamExt};
use tokio_util::task::AbortOnDropHandle;

use super::{Fleet, Outcome, Reason, Request, SkipReason};
use crate::{ca::Host, ids::HostName};

/// How wide a fan-out is, and when it stops asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// At most this many calls are in flight.
    pub forks: usize,
    /// Once so many hosts have failed, the others are left alone.
    pub max_fail: Option<usize>,
}

impl Fleet {
    /// Calls each host with its request and yields what became of each as it becomes known.
    ///
    /// A host named twice is called once. Dropping the stream gives up the calls in flight.
    pub fn fan_out<I>(&self, calls: I, width: Width) -> impl Stream<Item = (HostName, Outcome)> + Send + use<I>
    where
        I: IntoIterator<Item = (Host, Request)>,
        I::IntoIter: Send,
    {
        let fleet = self.clone();
        let mut seen = HashSet::new();
        let calls = calls.into_iter().filter(move |(host, _)| seen.insert(host.name.clone()));
        let failures = Arc::new(AtomicUsize::new(0));
        let call = move |(host, request): (Host, Request)| {
            let failures = Arc::clone(&failures);
            let stop = width.max_fail.is_some_and(|most| failures.load(Ordering::Relaxed) >= most);
            let name = host.name.clone();
            let call = if stop { None } else { Some(fleet.spawn(host, request)) };
            async move {
                let Some(call) = call else { return (name, Outcome::Skipped(SkipReason::MaxFail)) };
                let (name, outcome) = call.await;
                failures.fetch_add(usize::from(!outcome.is_ok()), Ordering::Relaxed);
                (name, outcome)
            }
        };
        stream::iter(calls).map(call).buffer_unordered(width.forks.max(1))
    }

    /// Starts one call, on a task of its own so that all cores work. Dropping the future gives the call up.
    pub fn spawn(&self, host: Host, request: Request) -> impl Future<Output = (HostName, Outcome)> + Send + use<> {
        let fleet = self.clone();
        let name = host.name.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move { fleet.call(&host, &request).await }));
        async move {
            let broke_off = |error| Outcome::Lost { why: Reason::new("the call broke off", error) };
            (name, task.await.unwrap_or_else(broke_off))
        }
    }
}
