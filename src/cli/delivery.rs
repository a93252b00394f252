//! The same work for every chosen host, a bounded number at a time.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::context::Context;
use super::progress::Progress;
use crate::ca::Host;
use crate::fleet::{Outcome, Selection};
use crate::ids::HostName;

/// Does `work` for each host, on tasks of their own, and names what became of every one, skipped ones too.
pub(super) async fn for_each<F>(selection: Selection, forks: u32, work: impl Fn(Host) -> F) -> Vec<(HostName, Outcome)>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    for part in &selection.unmatched {
        Context::warn(format!("no host matches `{part}`"));
    }
    let skipped = selection.skipped.into_iter().map(|(host, reason)| (host.name, Outcome::Skipped(reason)));
    let mut outcomes: Vec<(HostName, Outcome)> = skipped.collect();
    let started = stream::iter(selection.hosts).map(|host| {
        let name = host.name.clone();
        let task = tokio::spawn(work(host));
        async move {
            let broke_off = |error| Outcome::Lost { why: format!("the transfer broke off: {error}").into() };
            (name, task.await.unwrap_or_else(broke_off))
        }
    });
    let done: Vec<_> = started.buffer_unordered(forks.max(1) as usize).collect().await;
    outcomes.extend(done);
    outcomes
}

/// A bar that bytes move.
pub(super) fn moving(progress: &Arc<Progress>) -> impl Fn(u64) + Send + Sync + 'static {
    let progress = Arc::clone(progress);
    move |bytes| progress.more(bytes)
}
