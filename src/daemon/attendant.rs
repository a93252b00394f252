//! Who sees each open job through to its last result.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::figures::Figures;
use crate::{
    ids::OverlordJobId,
    overlord::{Error, FanOut, Overlord},
    wire::Secrets,
};

/// The pause after a failure of our own (the store is locked, the disk is full); twice as long each time, up to a bound.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Clones attend the same jobs.
#[derive(Debug, Clone)]
pub(super) struct Attendant {
    overlord: Overlord,
    figures: Figures,
    tasks: TaskTracker,
    stopping: CancellationToken,
    attended: Arc<Mutex<HashSet<OverlordJobId>>>,
}

/// How a job left us.
enum Left {
    /// Every result is in the store, or what is missing cannot be read.
    Ended,
    /// Nobody hands it out; it is ours to go on with.
    Interrupted,
}

impl Attendant {
    pub(super) fn new(overlord: Overlord, figures: Figures, tasks: TaskTracker, stopping: CancellationToken) -> Self {
        Self { overlord, figures, tasks, stopping, attended: Arc::default() }
    }

    /// Goes on with every job that the store has as open, and answers how many those are.
    pub(super) async fn take_up(&self) -> Result<usize, Error> {
        let jobs = self.overlord.list().await?;
        for row in &jobs.unreadable {
            tracing::error!(job = row.key, error = %row.error, "a job cannot be read");
        }
        let open: Vec<_> = jobs.jobs.into_iter().filter(|job| job.progress.open > 0).collect();
        for job in &open {
            self.spawn(job.id.clone(), None);
        }
        Ok(open.len())
    }

    /// Hands a job out and sees it through.
    pub(super) fn attend(&self, fan_out: FanOut) {
        self.spawn(fan_out.id().clone(), Some(fan_out));
    }

    /// How many jobs are attended.
    pub(super) fn count(&self) -> usize {
        self.attended.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn spawn(&self, id: OverlordJobId, fan_out: Option<FanOut>) {
        let new = self.attended.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
        // Whoever attends it already finds that it is interrupted no more.
        if !new && fan_out.is_none() {
            return;
        }
        let attendant = self.clone();
        self.tasks.spawn(async move {
            let stopping = attendant.stopping.clone();
            tokio::select! {
                () = attendant.see_through(&id, fan_out) => {}
                () = stopping.cancelled() => {}
            }
            attendant.attended.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }

    async fn see_through(&self, id: &OverlordJobId, fan_out: Option<FanOut>) {
        let mut ours = fan_out;
        let mut pause = PAUSE;
        loop {
            match self.once(id, ours.take()).await {
                Ok(Left::Ended) | Err(Error::UnknownJob { .. }) => return,
                Ok(Left::Interrupted) => match self.overlord.resume(id, Secrets::default()).await {
                    Ok(fan_out) => {
                        tracing::info!(job = %id, "going on with an interrupted job");
                        ours = Some(fan_out);
                        continue;
                    }
                    // Whoever knows the secret goes on with it.
                    Err(error @ Error::SecretGone { .. }) => {
                        tracing::error!(job = %id, %error, "cannot go on with a job; `func job resume --secret` can");
                        return;
                    }
                    // A command was quicker.
                    Err(Error::BeingHandedOut { .. }) => {}
                    Err(error) => tracing::error!(job = %id, %error, "cannot go on with a job"),
                },
                Err(error) => tracing::error!(job = %id, %error, "cannot attend a job; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self, id: &OverlordJobId, fan_out: Option<FanOut>) -> Result<Left, Error> {
        // Results that were here before are not counted again.
        let known: HashSet<_> = self.overlord.status(id).await?.outcomes().map(|(host, _)| host.clone()).collect();
        if let Some(fan_out) = fan_out {
            fan_out.run().await?;
        }
        let count = |host: &_, outcome: &_| {
            if !known.contains(host) {
                self.figures.outcome(outcome);
            }
        };
        let view = self.overlord.wait(id, None, count).await?;
        if view.is_stuck() {
            tracing::error!(job = %id, hosts = ?view.unreadable.keys(), "a job cannot end: records of hosts cannot be read");
        }
        Ok(if view.interrupted && !view.is_finished() && !view.is_stuck() { Left::Interrupted } else { Left::Ended })
    }
}
