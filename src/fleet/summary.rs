//! How many hosts ended how.

use serde::{Deserialize, Serialize};

use super::Outcome;

/// Counts of outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Hosts whose method succeeded.
    pub ok: usize,
    /// Hosts whose method failed.
    pub failed: usize,
    /// Hosts that could not be reached.
    pub unreachable: usize,
    /// Hosts that would not take the call.
    pub refused: usize,
    /// Hosts without a result in time.
    pub timed_out: usize,
    /// Hosts of which nobody knows.
    pub lost: usize,
    /// Hosts whose call was cancelled.
    pub cancelled: usize,
    /// Hosts that were never asked.
    pub skipped: usize,
}

impl Summary {
    /// Counts one more.
    pub fn add(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Ok(_) => &mut self.ok,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Unreachable { .. } => &mut self.unreachable,
            Outcome::Refused { .. } => &mut self.refused,
            Outcome::TimedOut { .. } => &mut self.timed_out,
            Outcome::Lost { .. } => &mut self.lost,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Skipped(_) => &mut self.skipped,
        } += 1;
    }

    /// All hosts.
    pub fn total(&self) -> usize {
        let Self { ok, failed, unreachable, refused, timed_out, lost, cancelled, skipped } = *self;
        ok + failed + unreachable + refused + timed_out + lost + cancelled + skipped
    }

    /// For programs: each count and their sum.
    pub fn to_json(&self) -> serde_json::Value {
        let mut data = serde_json::json!(self);
        data["total"] = self.total().into();
        data
    }

    /// Whether every host that was asked succeeded.
    pub fn all_well(&self) -> bool {
        self.ok + self.skipped == self.total()
    }

    /// Whether there were hosts to ask and not one was there, or known to be.
    pub fn nobody_reached(&self) -> bool {
        self.total() > 0 && self.unreachable + self.skipped == self.total()
    }
}

impl<'a> FromIterator<&'a Outcome> for Summary {
    fn from_iter<I: IntoIterator<Item = &'a Outcome>>(outcomes: I) -> Self {
        let mut summary = Self::default();
        outcomes.into_iter().for_each(|outcome| summary.add(outcome));
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::SkipReason, wire::Value};

    #[test]
    fn skipped_hosts_are_neither_good_nor_bad() {
        let skipped = Outcome::Skipped(SkipReason::Down);
        let gone = Outcome::Unreachable { why: "x".into() };
        let ok = Outcome::Ok(Value::Nil);
        assert!([&ok, &skipped].into_iter().collect::<Summary>().all_well());
        let nobody: Summary = [&gone, &skipped].into_iter().collect();
        assert!(nobody.nobody_reached() && !nobody.all_well());
        let some: Summary = [&gone, &ok].into_iter().collect();
        assert!(!some.nobody_reached() && !some.all_well() && some.total() == 2);
    }
}
