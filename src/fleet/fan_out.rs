//! Many hosts at once, a bounded number at a time.

use std::{collections::HashSet, future::Future};

use futures_util::stream::{self, Stream, StreamExt};
use tokio_util::task::AbortOnDropHandle;

use super::{Fleet, Outcome, Request};
use crate::{ca::Host, ids::HostName};

impl Fleet {
    /// Calls each host with its request, at most `forks` at a time, and yields what became of each as it becomes known.
    ///
    /// A host named twice is called once. Dropping the stream gives up the calls in flight.
    pub fn fan_out<I>(&self, calls: I, forks: usize) -> impl Stream<Item = (HostName, Outcome)> + Send + use<I>
    where
        I: IntoIterator<Item = (Host, Request)>,
        I::IntoIter: Send,
    {
        let fleet = self.clone();
        let mut seen = HashSet::new();
        let calls = calls.into_iter().filter(move |(host, _)| seen.insert(host.name.clone()));
        let call = move |(host, request): (Host, Request)| {
            let fleet = fleet.clone();
            let name = host.name.clone();
            let call = spawned(async move { fleet.call(&host, &request).await });
            async move { (name, call.await) }
        };
        stream::iter(calls).map(call).buffer_unordered(forks.max(1))
    }
}

/// A call on a task of its own, so that all cores work; one that breaks off is lost, and nothing else.
fn spawned(call: impl Future<Output = Outcome> + Send + 'static) -> impl Future<Output = Outcome> {
    let task = AbortOnDropHandle::new(tokio::spawn(call));
    async move { task.await.unwrap_or_else(|error| Outcome::Lost { why: format!("the call broke off: {error}") }) }
}
