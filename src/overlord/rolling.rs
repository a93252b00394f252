//! Handing a job out in batches.
//!
//! ```text
//! advance: one commit ──Asking──▶ send what is planned, settle what is doubtful, wait for the batch ──▶ advance …
//!    │                ──Pausing──▶ wait ──▶ advance …
//!    └──Asked, or Stopped: the others are skipped in the same commit──▶ handed out
//! ```
//!
//! A host that was sent its part and cannot be asked holds its batch up until its time there must be over. Then it is lost, which
//! counts as failed, and the batch goes on. Of the last batch nobody waits for anybody, so it is left to whoever gathers results.
//!
//! The stage is read and moved in one transaction with the states of the hosts that it depends on, and the hosts that a stop
//! leaves out end in that transaction, too. So a process that is killed between any two steps leaves a job that says exactly
//! how far it is, and whoever takes it up decides as this one would have.

use std::{collections::HashSet, path::Path, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Error, FanOut, HostState, Overlord,
    collect::Waiting,
    fan_out::Desk,
    record::{Orders, Plans, Stages},
    state::Event,
    transactions::{Part, Work, record, work},
};
use crate::{
    fleet::{Outcome, Stage, Tally},
    ids::{HostName, OverlordJobId},
    store::Tables,
};

/// How long minions let a job run, unless their operators or the call say otherwise.
const USUAL_TIME: Duration = Duration::from_hours(1);

/// How often somebody who waits for a pause to end looks whether the job was cancelled.
const LOOK: Duration = Duration::from_millis(200);

/// Moves a job's hand-out on as far as it goes, and answers where it is then, with the hosts that may be asked.
pub(super) fn advance(
    tables: &mut Tables<'_>,
    locks: &Path,
    id: &OverlordJobId,
    now: Timestamp,
) -> Result<(Stage, Work), Error> {
    let mut found = work(tables, locks, id)?;
    let rollout = tables.get::<Plans>(id)?.unwrap_or_default().rollout;
    let order = tables.get::<Orders>(id)?.unwrap_or_default();
    let before = tables.get::<Stages>(id)?.unwrap_or(Stage::Asked);
    let mut stage = before.clone();
    while let Some(next) = rollout.next(&stage, tally(&found, &order, &stage), order.len(), now) {
        stage = next;
    }
    if stage != before {
        tables.put::<Stages>(id, &stage)?;
        if let Stage::Stopped(reason) = &stage {
            let left_out: Vec<_> = order.iter().map(|host| (host.clone(), Event::LeftOut(reason.clone()))).collect();
            record(tables, id, &left_out, now)?;
        }
        found = work(tables, locks, id)?;
    }
    let upto: HashSet<&HostName> = order[..reach(&stage, &order)].iter().collect();
    found.parts.retain(|part| upto.contains(&part.host.name));
    Ok((stage, found))
}

/// How many hosts of the order may be asked. What cannot be read is neither asked nor waited for.
fn reach(stage: &Stage, order: &[HostName]) -> usize {
    match *stage {
        Stage::Asking { upto } | Stage::Pausing { upto, .. } => upto.min(order.len()),
        Stage::Asked | Stage::Stopped(_) => order.len(),
    }
}

fn tally(work: &Work, order: &[HostName], stage: &Stage) -> Tally {
    let mut tally = Tally::default();
    for host in &order[..reach(stage, order)] {
        match work.view.hosts.get(host).map(|host| &host.state) {
            Some(HostState::Planned) => tally.unasked += 1,
            Some(HostState::Sent { .. } | HostState::Acknowledged { .. }) => tally.open += 1,
            Some(HostState::Done { outcome, .. }) => tally.failed += usize::from(!outcome.is_ok()),
            None => {}
        }
    }
    tally
}

impl FanOut {
    /// Sends one batch after the other, until every host has been sent its part, or those that have not will not be.
    pub(super) async fn roll_out(
        &self,
        overlord: &Overlord,
        on_result: &mut (impl FnMut(&HostName, &Outcome) + Send),
    ) -> Result<(), Error> {
        let id = self.id();
        let (mut waiting, mut settled) = (Waiting::default(), false);
        loop {
            let (stage, mut work) = overlord.advance(id).await?;
            work.view.outcomes().for_each(|(host, outcome)| on_result(host, outcome));
            if work.view.cancelled.is_some() || work.view.progress.open == 0 {
                return Ok(());
            }
            let upto = match stage {
                Stage::Asking { upto } => upto,
                Stage::Pausing { until, .. } => {
                    let rest = work.view.plan.rollout.left_of_pause(until, Timestamp::now());
                    sleep_unless_cancelled(overlord, id, rest).await;
                    continue;
                }
                Stage::Asked | Stage::Stopped(_) => return Ok(()),
            };
            work.parts.retain(|part| !part.state.is_done());
            let planned = work.parts.iter().any(|part| part.state == HostState::Planned);
            if planned || (!settled && work.parts.iter().any(Part::is_doubtful)) {
                let failed = work.view.outcomes().filter(|(_, outcome)| is_failure(outcome)).count();
                let most = work.view.plan.rollout.may_fail(upto).map(|most| most.saturating_sub(failed));
                let desk = Desk::new(overlord, id.clone(), work.view)?;
                let result = desk.hand_out(overlord, work.parts, most).await;
                desk.recorder.finish().await.and(result)?;
                settled = true;
                continue;
            }
            settled = false;
            let (began, poll) = (Instant::now(), waiting.poll(&work, None));
            let bound = patience(&work);
            let round = overlord.ask(id, work, (poll, waiting.width()), Some(bound), on_result).await?;
            sleep_unless_cancelled(overlord, id, waiting.after(&round, began.elapsed())).await;
        }
    }
}

/// How long a batch waits for a host that cannot be asked: as long as its job may take there, and once more as long as it had
/// to accept it. A job that was given no time has its minion's, of which only the usual one is known here.
fn patience(work: &Work) -> Duration {
    work.view.record.timeout.unwrap_or(USUAL_TIME).saturating_add(work.view.plan.acceptance)
}

fn is_failure(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Ok(_) | Outcome::Skipped(_))
}

async fn sleep_unless_cancelled(overlord: &Overlord, id: &OverlordJobId, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !overlord.ledger().is_cancel_announced(id) {
        tokio::time::sleep_until(end.min(Instant::now() + LOOK)).await;
    }
}
