//! Who begins the runs of schedules when they are due.
//!
//! One process of a store does, the first that takes the lock; another daemon waits for it. It sleeps until the next instant,
//! and looks every second whether a command has changed a schedule or the clock has jumped. What is due and what comes of it is
//! judged in the store (see the head of `overlord::schedules`); here nothing is known that would be missed after a kill.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::attendant::Attendant;
use crate::{
    ids::ScheduleName,
    overlord::{Keeper, Overlord},
};

/// How often somebody looks whether a schedule or the clock was changed.
const LOOK: Duration = Duration::from_secs(1);
/// How often all of them are read, whether or not anybody says that they were changed.
const AFRESH: Duration = Duration::from_mins(1);
/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(5);

/// Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Scheduler {
    overlord: Overlord,
    attendant: Attendant,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Schedules whose turn is under way.
    busy: Arc<Mutex<HashSet<ScheduleName>>>,
    /// A turn has ended, so what is next of its schedule is not known.
    ended: Arc<Notify>,
}

impl Scheduler {
    pub(super) fn new(
        overlord: Overlord,
        attendant: Attendant,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        Self { overlord, attendant, tasks, stopping, busy: Arc::default(), ended: Arc::default() }
    }

    /// Sees to the schedules until the daemon stops.
    pub(super) fn start(self) {
        let stopping = self.stopping.clone();
        self.tasks.clone().spawn(async move {
            tokio::select! {
                () = self.see_to_all() => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    async fn see_to_all(&self) {
        let _keeper = self.become_keeper().await;
        let mut known = Vec::new();
        let mut read: Option<Instant> = None;
        let mut seen = self.overlord.schedules_changed();
        loop {
            let changed = self.overlord.schedules_changed();
            if changed != seen || read.is_none_or(|read| read.elapsed() > AFRESH) {
                match self.overlord.upcoming_runs().await {
                    Ok(upcoming) => (known, read, seen) = (upcoming, Some(Instant::now()), changed),
                    Err(error) => {
                        tracing::error!(error = &error as &dyn std::error::Error, "cannot read the schedules");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            let now = Timestamp::now();
            known.iter().filter(|(_, at)| *at <= now).for_each(|(name, _)| self.begin(name.clone(), now));
            let next = known.iter().map(|(_, at)| *at).filter(|at| *at > now).min();
            let sleep =
                next.and_then(|at| Duration::try_from(at.duration_since(now)).ok()).map_or(LOOK, |left| left.min(LOOK));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = self.ended.notified() => read = None,
            }
        }
    }

    /// Waits until nobody else sees to them. The jobs of whoever did are then ours to go on with.
    async fn become_keeper(&self) -> Keeper {
        let mut waited = false;
        loop {
            match self.overlord.keep_schedules() {
                Ok(Some(keeper)) => {
                    if waited && let Err(error) = self.attendant.take_up().await {
                        tracing::error!(error = &error as &dyn std::error::Error, "cannot read the open jobs");
                    }
                    return keeper;
                }
                Ok(None) if waited => {}
                Ok(None) => tracing::info!("another daemon sees to the schedules"),
                Err(error) => tracing::error!(%error, "cannot see to the schedules"),
            }
            waited = true;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Judges what is due of a schedule, and hands out what comes of it. Another turn of it that is under way does so already.
    fn begin(&self, name: ScheduleName, now: Timestamp) {
        if !self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            return;
        }
        let scheduler = self.clone();
        self.tasks.spawn(async move {
            let stopping = scheduler.stopping.clone();
            tokio::select! {
                () = scheduler.turn(&name, now) => {}
                () = stopping.cancelled() => {}
            }
            scheduler.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            scheduler.ended.notify_one();
        });
    }

    async fn turn(&self, name: &ScheduleName, now: Timestamp) {
        match self.overlord.take_turn(name, now).await {
            Ok(Some(fan_out)) => {
                tracing::info!(schedule = %name, job = %fan_out.id(), "a run has begun");
                self.attendant.attend(fan_out);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(schedule = %name, error = &error as &dyn std::error::Error, "cannot judge what is due");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
