//! Handing a job out: every host is sent its part once, however often this is begun.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;

use super::{
    Error, JobRecord, JobView, Overlord,
    ask::{PATIENCE, question, report},
    ledger::Ledger,
    lock::JobLock,
    recorder::Recorder,
    state::{Event, HostState, Report, Rules},
    transactions::Part,
};
use crate::{
    fleet::{Filter, Fleet, Outcome, Passing, Request, delegated_first},
    ids::{HostName, OverlordJobId},
    wire::{Call, Secrets},
};

/// So many hosts are noted as "about to be sent" in one commit.
const CHUNK: usize = 256;

/// How long a minion has to accept a job, unless somebody says otherwise.
pub(super) const ACCEPTANCE: Duration = Duration::from_secs(30);

/// Hosts of which it is not known whether they got their part are asked so often before the fan-out counts as done; after
/// that, whoever waits for the job goes on asking.
const PASSES: u32 = 2;

/// A job that is ours to hand out. While this exists, nobody else can; dropped unfinished, the job is interrupted.
#[derive(Debug)]
pub struct FanOut {
    overlord: Overlord,
    id: OverlordJobId,
    lock: JobLock,
}

impl FanOut {
    pub(super) fn new(overlord: Overlord, id: OverlordJobId, lock: JobLock) -> Self {
        Self { overlord, id, lock }
    }

    /// The job.
    pub fn id(&self) -> &OverlordJobId {
        &self.id
    }

    /// Sends every host its part, and answers how the job stands then: partial, or finished if no minion has work.
    pub async fn run(self) -> Result<JobView, Error> {
        self.run_telling(|_, _| {}).await
    }

    /// The same. Of a job in batches, `on_result` hears meanwhile of each host's end, perhaps more than once.
    pub async fn run_telling(self, mut on_result: impl FnMut(&HostName, &Outcome) + Send) -> Result<JobView, Error> {
        let overlord = self.overlord.clone();
        let work = overlord.work(&self.id).await?;
        if work.view.progress.open > 0 {
            if work.view.stage.is_some() {
                self.roll_out(&overlord, &mut on_result).await?;
            } else {
                let desk = Desk::new(&overlord, self.id.clone(), work.view)?;
                let result = desk.hand_out(&overlord, work.parts, None).await;
                // What was learned is kept, also when something failed.
                desk.recorder.finish().await.and(result)?;
            }
        }
        let view = overlord.ledger().fanned_out(&self.id).await?;
        drop(self.lock);
        Ok(view)
    }
}

/// Everything at hand while a job's parts are sent.
pub(super) struct Desk {
    fleet: Fleet,
    ledger: Ledger,
    id: OverlordJobId,
    record: JobRecord,
    rules: Rules,
    request: Request,
    /// Whether what is secret of the call is here. Without it nothing is sent.
    has_secrets: bool,
    /// How long a minion has to answer.
    acceptance: Duration,
    /// How often a host that cannot be reached is tried again.
    retry: u32,
    pub(super) recorder: Recorder,
}

impl Desk {
    pub(super) fn new(overlord: &Overlord, id: OverlordJobId, view: JobView) -> Result<Self, Error> {
        let (acceptance, retry) = (view.plan.acceptance, view.plan.rollout.retry);
        let rules = view.record.rules(view.cancelled.is_some());
        let record = view.record;
        let args = overlord.with_secrets(&id, record.args.clone());
        let has_secrets = Secrets::of(&args).are_here();
        let call = Call::new(format!("async.{}", record.method), args);
        let request = Request::new(&call).timeout(acceptance).overlord_job(&id);
        let recorder = Recorder::start(overlord.ledger().clone(), id.clone());
        Ok(Self {
            fleet: overlord.fleet()?.clone(),
            ledger: overlord.ledger().clone(),
            id,
            record,
            rules,
            request,
            has_secrets,
            acceptance,
            retry,
            recorder,
        })
    }

    /// Sends parts that were not sent, and settles those of which that is not known. Once more than so many have failed,
    /// the others stay planned.
    pub(super) async fn hand_out(
        &self,
        overlord: &Overlord,
        parts: Vec<Part>,
        may_fail: Option<usize>,
    ) -> Result<(), Error> {
        let mut doubt = parts.iter().any(Part::is_doubtful);
        let planned = parts.into_iter().filter(|part| part.state == HostState::Planned);
        if self.record.is_given_up(Timestamp::now()) {
            planned.for_each(|part| self.recorder.note(part.host.name, Event::GaveUp));
        } else {
            doubt |= self.send(planned.collect(), may_fail).await;
        }
        for pass in 0..PASSES {
            if !doubt || !self.recorder.settled().await {
                break;
            }
            let work = overlord.work(&self.id).await?;
            let doubtful: Vec<Part> = work.parts.into_iter().filter(Part::is_doubtful).collect();
            if doubtful.is_empty() {
                break;
            }
            if pass > 0 {
                tokio::time::sleep(Duration::from_secs(1) * pass).await;
            }
            self.settle(doubtful).await;
        }
        Ok(())
    }

    /// Asks the minions that may have got their part, and sends it again where it never arrived.
    pub(super) async fn settle(&self, doubtful: Vec<Part>) {
        let mut asked: FuturesUnordered<_> = FuturesUnordered::new();
        let mut unknown = Vec::new();
        let mut rest = doubtful.into_iter();
        loop {
            while asked.len() < self.record.forks
                && let Some(part) = rest.next()
            {
                let question = question(&part.job, Duration::ZERO).timeout(self.acceptance.min(PATIENCE));
                let answer = self.fleet.spawn(part.host.clone(), question);
                asked.push(async move { (part, answer.await.1) });
            }
            let Some((part, answer)) = asked.next().await else { break };
            let Ok(report) = report(answer, self.record.timeout) else { continue };
            if report == Report::Unknown && part.state.may_be_sent(&self.rules, Timestamp::now()) {
                unknown.push(part);
            } else {
                self.recorder.note(part.host.name, Event::Reported { report, was_acknowledged: false });
            }
        }
        self.send(unknown, None).await;
    }

    /// Sends parts, each only after it is durable that it may have been sent. Answers whether of some it is not known if
    /// they arrived.
    async fn send(&self, mut parts: Vec<Part>, may_fail: Option<usize>) -> bool {
        delegated_first(&mut parts, |part| &part.host);
        if !self.has_secrets {
            return !parts.is_empty();
        }
        let (mut doubt, mut failed) = (false, 0);
        let filter = Filter::of_arguments(&self.record.args);
        let mut note = |host: HostName, outcome: Outcome, tries: u32| {
            if tries > 1 {
                self.recorder.note(host.clone(), Event::Retried(tries - 1));
            }
            let outcome = match &filter {
                Some(filter) => outcome.past_filter(filter),
                None => outcome,
            };
            doubt |= matches!(outcome, Outcome::Lost { .. } | Outcome::TimedOut { .. } | Outcome::Unreachable { .. });
            failed += usize::from(!outcome.is_ok());
            self.recorder.note(host, Event::Submitted(outcome));
            failed
        };
        // What is noted as about to be sent is sent: where failures stop it, no more is noted than can leave at once.
        let chunk_size = if may_fail.is_some() { CHUNK.min(self.record.forks) } else { CHUNK };
        let (mut in_flight, mut passing) = (FuturesUnordered::new(), Passing::default());
        'all: for chunk in parts.chunks(chunk_size) {
            while may_fail.is_some()
                && in_flight.len() + chunk.len() > self.record.forks
                && let Some((host, outcome, tries)) = in_flight.next().await
            {
                passing.ended(&host);
                if may_fail.is_some_and(|most| note(host, outcome, tries) > most) {
                    break 'all;
                }
            }
            if !self.recorder.sending(chunk.iter().map(|part| part.host.name.clone())).await {
                break;
            }
            for part in chunk {
                while (in_flight.len() >= self.record.forks || !passing.leaves_alone(&part.host.name))
                    && let Some((host, outcome, tries)) = in_flight.next().await
                {
                    passing.ended(&host);
                    note(host, outcome, tries);
                }
                if self.ledger.is_cancel_announced(&self.id) {
                    break;
                }
                let request = self.request.clone().job(&part.job, self.record.timeout);
                passing.begins(&part.host);
                in_flight.push(self.fleet.spawn_stubborn(part.host.clone(), request, self.retry));
            }
        }
        while let Some((host, outcome, tries)) = in_flight.next().await {
            note(host, outcome, tries);
        }
        doubt
    }
}

impl Part {
    /// Whether it is not known if the minion got it.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self.state, HostState::Sent { .. })
    }
}
