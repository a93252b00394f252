//! Gathering the results of a job that was handed out.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Error, HostState, JobView, Overlord,
    ask::{demand, question, report},
    fan_out::Desk,
    recorder::Recorder,
    state::{Event, Report, is_over},
    transactions::{Part, Work},
};
use crate::{
    fleet::Outcome,
    ids::{HostName, OverlordJobId},
};

/// So many minions are asked at a time: waiting costs them and us a connection, but hardly any work.
const WAITING: usize = 1024;

/// So many are asked at a time however slow the line is: minions that hang must not keep the others from being heard.
const WAITING_LEAST: usize = 16;

/// How long a minion waits for its job before it answers "still running".
const LONG_POLL: Duration = Duration::from_secs(20);

/// The longest pause while no minion can be asked.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What came of asking every minion once.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Hosts that could not be asked, and why.
    unasked: BTreeMap<HostName, String>,
    /// Hosts that answered.
    answered: usize,
    /// Hosts that have ended.
    ended: usize,
    /// Hosts whose answer did not come in time.
    slow: usize,
}

/// How patiently minions are asked, round after round.
#[derive(Debug)]
pub(super) struct Waiting {
    pause: Duration,
    width: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { pause: Duration::ZERO, width: WAITING }
    }
}

impl Waiting {
    /// How many are asked at a time.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// How long they may wait for their jobs; not beyond what is `left` of our own time.
    pub(super) fn poll(&self, work: &Work, left: Option<Duration>) -> Duration {
        long_poll(work, self.width, left)
    }

    /// How long to leave them alone after a round.
    pub(super) fn after(&mut self, round: &Round, took: Duration) -> Duration {
        self.width = next_width(self.width, round);
        self.pause = next_pause(self.pause, round, took);
        self.pause
    }
}

impl Overlord {
    /// Asks every minion that still works on a job how it is, once; of a cancelled one, to end it. A finished job is answered from the store.
    pub async fn poll(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        let work = self.work(id).await?;
        if work.view.is_finished() {
            return Ok(work.view);
        }
        let round = self.ask(id, work, (Duration::ZERO, WAITING), None, &mut |_, _| {}).await?;
        let mut view = self.status(id).await?;
        for (host, why) in round.unasked {
            if let Some(host) = view.hosts.get_mut(&host).filter(|host| !host.state.is_done()) {
                host.unasked = Some(why);
            }
        }
        Ok(view)
    }

    /// Waits until a job is finished, or `patience` is over, or it turns out to be interrupted or damaged, and answers how it stands
    /// then. `on_result` hears of each host's end once, as soon as it is known here.
    pub async fn wait(
        &self,
        id: &OverlordJobId,
        patience: Option<Duration>,
        mut on_result: impl FnMut(&HostName, &Outcome) + Send,
    ) -> Result<JobView, Error> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        let mut told = HashSet::new();
        let mut tell = |host: &HostName, outcome: &Outcome| {
            if told.insert(host.clone()) {
                on_result(host, outcome);
            }
        };
        let mut waiting = Waiting::default();
        loop {
            let work = self.work(id).await?;
            work.view.outcomes().for_each(|(host, outcome)| tell(host, outcome));
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let hopeless = work.view.interrupted || work.view.is_stuck();
            if work.view.is_finished() {
                self.tidy(id).await;
                return Ok(work.view);
            }
            if hopeless || left == Some(Duration::ZERO) {
                return Ok(work.view);
            }
            self.settle_doubtful(id, &work).await?;
            let poll = waiting.poll(&work, left);
            let began = Instant::now();
            let round = self.ask(id, work, (poll, waiting.width()), None, &mut tell).await?;
            let pause = waiting.after(&round, began.elapsed());
            tokio::time::sleep(pause.min(left.unwrap_or(pause))).await;
        }
    }

    /// Once the fan-out is done, parts that may not have arrived are settled by whoever waits and gets the job's lock.
    async fn settle_doubtful(&self, id: &OverlordJobId, work: &Work) -> Result<(), Error> {
        let doubtful = work.parts.iter().any(Part::is_doubtful);
        if !doubtful || work.view.progress.fanned_out.is_none() || work.view.cancelled.is_some() {
            return Ok(());
        }
        let _lock = match self.lock(id).await {
            Ok(lock) => lock,
            Err(Error::BeingHandedOut { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        // What was doubtful before we had the lock may have been settled by whoever had it.
        let work = self.work(id).await?;
        let desk = Desk::new(self, id.clone(), work.view)?;
        desk.settle(work.parts.into_iter().filter(Part::is_doubtful).collect()).await;
        desk.recorder.finish().await
    }

    /// Asks each minion that may know its part of a job, or demands its end if the job is cancelled, and records what it says.
    /// They may wait so long for their jobs, so many are asked at a time, and who cannot be asked so long after it was last heard
    /// of is lost.
    pub(super) async fn ask(
        &self,
        id: &OverlordJobId,
        work: Work,
        (poll, width): (Duration, usize),
        bound: Option<Duration>,
        tell: &mut (impl FnMut(&HostName, &Outcome) + Send),
    ) -> Result<Round, Error> {
        let fleet = self.fleet()?.clone();
        let recorder = Recorder::start(self.ledger().clone(), id.clone());
        let parts: Vec<Part> = work.parts.into_iter().filter(|part| part.state.may_be_known()).collect();
        let record = &work.view.record;
        let cancelled = work.view.cancelled.is_some();
        let mut answers = stream::iter(parts)
            .map(|part| {
                let request = if cancelled { demand(&part.job) } else { question(&part.job, poll) };
                let answer = fleet.spawn(part.host.clone(), request);
                async move { (part, answer.await.1) }
            })
            .buffer_unordered(width);
        let mut round = Round::default();
        while let Some((part, answer)) = answers.next().await {
            let was_acknowledged = matches!(part.state, HostState::Acknowledged { .. });
            let name = part.host.name;
            round.slow += usize::from(matches!(answer, Outcome::TimedOut { .. }));
            let ended = match report(answer, record.timeout) {
                Ok(report) => {
                    round.answered += 1;
                    let ended = matches!(report, Report::Done(_));
                    if let Report::Done(outcome) = &report {
                        round.ended += 1;
                        tell(&name, outcome);
                    }
                    recorder.note(name.clone(), Event::Reported { report, was_acknowledged });
                    ended
                }
                Err(why) => {
                    let since = part.state.since().zip(bound);
                    if since.is_some_and(|(since, bound)| is_over(since, bound, Timestamp::now())) {
                        recorder.note(name.clone(), Event::Overdue(why.clone()));
                        round.ended += 1;
                    }
                    round.unasked.insert(name.clone(), why);
                    false
                }
            };
            if !ended && record.is_given_up(Timestamp::now()) {
                recorder.note(name, Event::GaveUp);
            }
        }
        recorder.finish().await?;
        Ok(round)
    }
}

/// How long minions are asked to wait: briefly while another process still hands the job out or minions wait for their
/// turn to be asked, and not beyond our own patience.
fn long_poll(work: &Work, width: usize, left: Option<Duration>) -> Duration {
    let unsent = work.parts.iter().any(|part| part.state == HostState::Planned);
    let longest = if unsent || work.parts.len() > width { Duration::from_secs(1) } else { LONG_POLL };
    let left = left.unwrap_or(longest).min(longest);
    // A minion waits whole seconds.
    Duration::from_secs(left.as_secs())
}

/// How many to ask at a time in the next round: fewer while answers get stuck on the way, for then they are in each
/// other's way. Minions that cannot be reached at all say nothing about the line.
fn next_width(width: usize, round: &Round) -> usize {
    let next = if round.slow > 0 && round.slow * 2 > round.unasked.len() { width / 2 } else { width * 2 };
    next.clamp(WAITING_LEAST, WAITING)
}

/// How long to leave the minions alone after a round. None is needed where something moved or the round itself was a wait;
/// where nobody could be asked it grows.
fn next_pause(last: Duration, round: &Round, took: Duration) -> Duration {
    const SHORT: Duration = Duration::from_millis(200);
    if round.ended > 0 || (round.answered > 0 && took > SHORT) {
        return Duration::ZERO;
    }
    let longest = if round.answered > 0 { SHORT } else { LONGEST_PAUSE };
    (last * 2).clamp(SHORT, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_minions_are_asked_at_a_time_while_their_answers_get_stuck() {
        let unasked = |count: usize| (0..count).map(|n| (format!("m{n}").parse().unwrap(), String::new())).collect();
        let round = |slow, failed| Round { slow, unasked: unasked(failed), ..Round::default() };
        assert_eq!(next_width(1024, &round(900, 901)), 512);
        assert_eq!(next_width(16, &round(3, 3)), 16);
        assert_eq!(next_width(512, &round(0, 0)), 1024);
        assert_eq!(next_width(1024, &round(1, 5)), 1024, "others cannot be reached, which is not for lack of room");
    }

    #[test]
    fn minions_that_cannot_be_asked_are_left_alone_for_longer_and_longer() {
        let pauses = |round: Round, took| {
            let mut pause = Duration::ZERO;
            (0..9).map(|_| (pause = next_pause(pause, &round, took), pause.as_millis()).1).collect::<Vec<_>>()
        };
        let (quick, slow) = (Duration::from_millis(1), Duration::from_secs(20));
        assert_eq!(pauses(Round::default(), quick), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
        let answered = || Round { answered: 1, ..Round::default() };
        assert_eq!(pauses(answered(), quick), [200; 9], "a minion that does not wait is not asked in a circle");
        assert_eq!(pauses(answered(), slow), [0; 9]);
        assert_eq!(pauses(Round { ended: 1, ..answered() }, quick), [0; 9]);
    }
}
