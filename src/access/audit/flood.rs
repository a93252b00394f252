//! Denials and malformed requests: a few lines a minute for each caller, then a sum.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{AuditOutcome, Event};

/// So many of one caller and outcome have lines of their own in each window.
pub(super) const LINES: u64 = 20;
/// The window.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// So many callers are told apart; all further ones are summed together.
const CALLERS: usize = 1000;

#[derive(Debug)]
struct Counted {
    began: Instant,
    since: Timestamp,
    lines: u64,
    more: u64,
}

/// Who was denied how often.
#[derive(Debug, Default)]
pub(super) struct Floods(HashMap<(String, String, AuditOutcome), Counted>);

impl Floods {
    /// Whether this one has a line of its own.
    pub(super) fn admit(&mut self, caller: &str, serial: &str, outcome: AuditOutcome, now: Instant) -> bool {
        if !matches!(outcome, AuditOutcome::Denied | AuditOutcome::Malformed) {
            return true;
        }
        let mut key = (caller.to_owned(), serial.to_owned(), outcome);
        if self.0.len() >= CALLERS && !self.0.contains_key(&key) {
            key = ("(others)".to_owned(), String::new(), outcome);
        }
        let fresh = || Counted { began: now, since: Timestamp::now(), lines: 0, more: 0 };
        let counted = self.0.entry(key).or_insert_with(fresh);
        if counted.lines < LINES {
            counted.lines += 1;
            return true;
        }
        counted.more += 1;
        false
    }

    /// The sums of the windows that are over, or of all of them.
    pub(super) fn take(&mut self, now: Instant, all: bool) -> Vec<Event> {
        let mut sums = Vec::new();
        self.0.retain(|(caller, serial, outcome), counted| {
            let over = all || now.duration_since(counted.began) >= WINDOW;
            if over && counted.more > 0 {
                sums.push(Event::Repeated {
                    caller: caller.clone(),
                    serial: serial.clone(),
                    outcome: *outcome,
                    count: counted.more,
                    since: counted.since,
                });
            }
            !over
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_sum() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let lines = (0..10_000).filter(|_| floods.admit("eve", "1f", AuditOutcome::Denied, now)).count();
        assert_eq!(lines as u64, LINES);
        assert!(
            floods.admit("eve", "1f", AuditOutcome::Malformed, now)
                && floods.admit("bob", "2", AuditOutcome::Denied, now)
        );
        assert!((0..1000).all(|_| floods.admit("eve", "1f", AuditOutcome::Ok, now)), "calls are never summed");
        assert!(floods.take(now, false).is_empty());
        let sums = floods.take(now + WINDOW, false);
        let [Event::Repeated { caller, count, .. }] = &sums[..] else { panic!("{sums:?}") };
        assert_eq!((caller.as_str(), *count), ("eve", 10_000 - LINES));
        assert!(floods.admit("eve", "1f", AuditOutcome::Denied, now + WINDOW) && floods.take(now, true).is_empty());
    }

    #[test]
    fn many_callers_share_one_sum() {
        let (mut floods, now) = (Floods::default(), Instant::now());
        let lines = (0..20_000).filter(|n| floods.admit(&format!("c{n}"), "", AuditOutcome::Denied, now)).count();
        assert_eq!((lines as u64, floods.0.len()), (CALLERS as u64 + LINES, CALLERS + 1));
    }
}
