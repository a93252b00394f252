//! The rules of one host's part, all of them, without I/O.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{
    fleet::Outcome,
    ids::MinionJobId,
    overlord::state::{Event, HostState, Report, Rules, step},
    wire::{RemoteError, Value},
};

const HOUR: i64 = 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn rules() -> Rules {
    Rules { resume_window: Duration::from_hours(1), give_up_after: Duration::from_hours(48), cancelled: false }
}

fn job() -> MinionJobId {
    "0190a8b0-0000-7000-8000-000000000000-minion".parse().unwrap()
}

fn outcomes() -> Vec<Outcome> {
    vec![
        Outcome::Ok(job().as_str().into()),
        Outcome::Ok("another-minion".into()),
        Outcome::Failed(RemoteError::new("UnknownMethod", "x")),
        Outcome::Unreachable { why: "x".into() },
        Outcome::Refused { why: "x".into() },
        Outcome::TimedOut { after: Duration::from_secs(1) },
        Outcome::Lost { why: "x".into() },
        Outcome::Cancelled,
    ]
}

fn states() -> Vec<HostState> {
    vec![
        HostState::Planned,
        HostState::Sent { since: at(0), again: false },
        HostState::Sent { since: at(0), again: true },
        HostState::Acknowledged { since: at(0) },
        HostState::Done { at: at(0), outcome: Outcome::Ok(Value::Nil) },
    ]
}

fn events() -> Vec<Event> {
    let mut events = vec![Event::Sending, Event::GaveUp, Event::Cancelled];
    events.extend(outcomes().into_iter().map(Event::Submitted));
    for was_acknowledged in [false, true] {
        let reports = outcomes().into_iter().map(Report::Done).chain([Report::Running, Report::Unknown]);
        events.extend(reports.map(|report| Event::Reported { report, was_acknowledged }));
    }
    events
}

fn next(state: &HostState, event: &Event, now: i64) -> Option<HostState> {
    step(state, event, Some(&job()), &rules(), at(now))
}

fn word(state: Option<HostState>) -> String {
    match state {
        None => "=".into(),
        Some(HostState::Done { outcome, .. }) => outcome.name().into(),
        Some(HostState::Sent { again, .. }) => format!("sent{}", if again { " again" } else { "" }),
        Some(state) => state.word().to_lowercase(),
    }
}

/// The whole table, within the window: one row an event, one column a state (planned, sent, sent again, acknowledged,
/// done).
#[test]
fn every_event_in_every_state() {
    let unknown = |was_acknowledged| Event::Reported { report: Report::Unknown, was_acknowledged };
    let running = Event::Reported { report: Report::Running, was_acknowledged: false };
    let finished = Report::Done(Outcome::Ok(3.into()));
    let finished = Event::Reported { report: finished, was_acknowledged: true };
    let submitted = |index: usize| Event::Submitted(outcomes().remove(index));
    for (event, expected) in [
        (Event::Sending, ["sent", "sent again", "sent again", "=", "="]),
        (submitted(0), ["running", "running", "running", "=", "="]),
        (submitted(1), ["lost", "lost", "lost", "=", "="]),
        (submitted(2), ["failed", "failed", "failed", "=", "="]),
        (submitted(3), ["unreachable", "unreachable", "=", "=", "="]),
        (submitted(4), ["refused", "refused", "refused", "=", "="]),
        (submitted(5), ["=", "=", "=", "=", "="]),
        (submitted(6), ["=", "=", "=", "=", "="]),
        (running, ["running", "running", "running", "=", "="]),
        (finished, ["ok", "ok", "ok", "ok", "="]),
        (unknown(false), ["=", "=", "=", "=", "="]),
        (unknown(true), ["=", "=", "=", "lost", "="]),
        (Event::GaveUp, ["unreachable", "lost", "lost", "lost", "="]),
    ] {
        let found: Vec<String> = states().iter().map(|state| word(next(state, &event, HOUR / 2))).collect();
        assert_eq!(found, expected, "{event:?}");
    }
}

#[test]
fn a_job_that_the_minion_does_not_know_is_sent_again_only_within_the_window() {
    let sent = HostState::Sent { since: at(0), again: false };
    let unknown = Event::Reported { report: Report::Unknown, was_acknowledged: false };
    assert!(sent.may_be_sent(&rules(), at(HOUR)) && next(&sent, &unknown, HOUR).is_none());
    assert!(!sent.may_be_sent(&rules(), at(HOUR + 1)));
    assert_eq!(word(next(&sent, &unknown, HOUR + 1)), "lost");
    assert!(sent.may_be_sent(&rules(), at(-5 * HOUR)), "a clock that was set back ends nothing");
    let again = next(&sent, &Event::Sending, HOUR / 2).unwrap();
    assert!(!again.may_be_sent(&rules(), at(HOUR + 1)), "the window counts from the first time");
    for state in &states()[3..] {
        assert!(!state.may_be_sent(&rules(), at(0)), "{state:?}");
    }
}

proptest! {
    /// Whatever happens in whatever order: an end stays, nothing goes back, and every state names its minion's.
    #[test]
    fn nothing_goes_back(picks in prop::collection::vec((0_usize..1000, 0_i64..100_000), 0..40)) {
        let rank = |state: &HostState| match state {
            HostState::Planned => 0,
            HostState::Sent { .. } => 1,
            HostState::Acknowledged { .. } => 2,
            HostState::Done { .. } => 3,
        };
        let all = events();
        let mut state = HostState::Planned;
        for (pick, now) in picks {
            if let Some(new) = next(&state, &all[pick % all.len()], now) {
                prop_assert!(rank(&new) > rank(&state) || (rank(&new) == 1 && rank(&state) == 1));
                prop_assert!(!state.is_done());
                state = new;
            }
        }
    }
}
