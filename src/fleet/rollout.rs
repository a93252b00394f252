//! A fan-out in batches: which hosts may be asked now, and when more.
//!
//! ```text
//! Asking { upto } ──all of them have ended──▶ Pausing { upto, until } ──until──▶ Asking { up to the end of the next batch }
//!    │    │                                         (no pause: straight on)
//!    │    └──every host was asked──▶ Asked
//!    └──more than allowed have failed, or one of the canary──▶ Stopped: whoever was not asked is skipped, and told why
//! ```
//!
//! The hosts stand in one order, frozen when the fan-out is planned; `upto` counts from its beginning. So the stage and what
//! became of each host say all there is to know: whoever has both can go on, after whatever interruption. These are rules
//! without I/O, the same for plain calls and for jobs.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SkipReason;

/// How a fan-out proceeds. The default asks everybody at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// So many hosts are asked first, and the others only if all of them are well; none if 0.
    pub canary: usize,
    /// So many hosts make a batch, and the next begins when all of one have ended; everybody is one batch if nothing.
    pub batch: Option<usize>,
    /// How long to wait between two batches.
    pub pause: Duration,
    /// When more than so many have failed, nobody else is asked.
    pub max_fail: Option<usize>,
    /// How often a host that cannot be reached is tried again.
    pub retry: u32,
}

/// Where a fan-out is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The first so many hosts may be asked.
    Asking {
        /// How many.
        upto: usize,
    },
    /// The first so many have ended, and the next batch waits.
    Pausing {
        /// How many.
        upto: usize,
        /// Until then.
        until: Timestamp,
    },
    /// Every host was asked.
    Asked,
    /// Whoever was not asked will not be.
    Stopped(SkipReason),
}

/// How the hosts that may be asked stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// They may be asked, and were not yet.
    pub unasked: usize,
    /// They were asked and have not ended.
    pub open: usize,
    /// They have ended, and not well.
    pub failed: usize,
}

impl Rollout {
    /// Whether some hosts may have to wait for others.
    pub fn is_staged(&self) -> bool {
        self.canary > 0 || self.batch.is_some() || self.max_fail.is_some()
    }

    /// How many may fail before nobody else is asked, in a stage in which so many may be asked.
    pub fn may_fail(&self, upto: usize) -> Option<usize> {
        if upto <= self.canary { Some(0) } else { self.max_fail }
    }

    /// Where a fan-out to so many hosts begins.
    pub fn first(&self, hosts: usize) -> Stage {
        let upto = if self.canary > 0 { self.canary } else { self.batch.unwrap_or(hosts).max(1) };
        Stage::Asking { upto: upto.min(hosts) }
    }

    /// The stage that follows, or nothing while this one lasts.
    pub fn next(&self, stage: &Stage, tally: Tally, hosts: usize, now: Timestamp) -> Option<Stage> {
        let upto = match *stage {
            Stage::Asking { upto } | Stage::Pausing { upto, .. } => upto,
            Stage::Asked | Stage::Stopped(_) => return None,
        };
        let someone_left = upto < hosts || tally.unasked > 0;
        if someone_left && self.may_fail(upto).is_some_and(|most| tally.failed > most) {
            let canary = upto <= self.canary;
            return Some(Stage::Stopped(if canary { SkipReason::Canary } else { SkipReason::MaxFail }));
        }
        match *stage {
            _ if !someone_left => Some(Stage::Asked),
            Stage::Asking { .. } if tally.unasked + tally.open > 0 => None,
            Stage::Asking { upto } if !self.pause.is_zero() => {
                Some(Stage::Pausing { upto, until: now.checked_add(self.pause).unwrap_or(Timestamp::MAX) })
            }
            Stage::Pausing { until, .. } if !self.left_of_pause(until, now).is_zero() => None,
            _ => Some(Stage::Asking { upto: upto.saturating_add(self.batch.unwrap_or(hosts).max(1)).min(hosts) }),
        }
    }

    /// What is left of a pause. One that seems longer than it was meant to be is over: the clock was set back.
    pub fn left_of_pause(&self, until: Timestamp, now: Timestamp) -> Duration {
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        if left > self.pause { Duration::ZERO } else { left }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn asking(upto: usize) -> Stage {
        Stage::Asking { upto }
    }

    fn tally(unasked: usize, open: usize, failed: usize) -> Tally {
        Tally { unasked, open, failed }
    }

    #[test]
    fn everybody_is_asked_at_once_unless_somebody_says_otherwise() {
        let plan = Rollout::default();
        assert_eq!((plan.is_staged(), plan.first(9)), (false, asking(9)));
        assert_eq!(plan.next(&asking(9), tally(1, 8, 8), 9, at(0)), None);
        assert_eq!(plan.next(&asking(9), tally(0, 9, 0), 9, at(0)), Some(Stage::Asked));
        assert_eq!(plan.first(0), asking(0));
        assert_eq!(plan.next(&asking(0), tally(0, 0, 0), 0, at(0)), Some(Stage::Asked));
    }

    #[test]
    fn a_batch_waits_for_all_of_the_one_before_it_and_for_its_pause() {
        let plan = Rollout { canary: 1, batch: Some(4), pause: Duration::from_mins(1), ..Rollout::default() };
        assert_eq!(plan.first(7), asking(1));
        for (unasked, open) in [(1, 0), (0, 1)] {
            assert_eq!(plan.next(&asking(1), tally(unasked, open, 0), 7, at(0)), None);
        }
        let pausing = plan.next(&asking(1), tally(0, 0, 0), 7, at(0)).unwrap();
        assert_eq!(pausing, Stage::Pausing { upto: 1, until: at(60) });
        assert_eq!(plan.next(&pausing, tally(0, 0, 0), 7, at(59)), None);
        assert_eq!(plan.next(&pausing, tally(0, 0, 0), 7, at(60)), Some(asking(5)));
        assert_eq!(plan.next(&pausing, tally(0, 0, 0), 7, at(-99)), Some(asking(5)), "the clock was set back");
        assert_eq!(plan.next(&pausing, tally(0, 0, 0), 1, at(0)), Some(Stage::Asked), "nobody is left to wait for");
        let straight = Rollout { pause: Duration::ZERO, ..plan };
        assert_eq!(straight.next(&asking(5), tally(0, 0, 2), 7, at(0)), Some(asking(7)), "failures stop nothing");
    }

    #[test]
    fn failures_stop_it_as_soon_as_they_are_too_many() {
        let plan = Rollout { canary: 2, batch: Some(4), max_fail: Some(1), ..Rollout::default() };
        let stopped = |reason| Some(Stage::Stopped(reason));
        assert_eq!(plan.next(&asking(2), tally(1, 0, 1), 9, at(0)), stopped(SkipReason::Canary));
        assert_eq!(plan.next(&asking(2), tally(0, 1, 1), 9, at(0)), stopped(SkipReason::Canary));
        assert_eq!(plan.next(&asking(6), tally(3, 0, 1), 9, at(0)), None, "one may fail");
        assert_eq!(plan.next(&asking(6), tally(3, 0, 2), 9, at(0)), stopped(SkipReason::MaxFail));
        assert_eq!(plan.next(&asking(9), tally(1, 0, 2), 9, at(0)), stopped(SkipReason::MaxFail));
        assert_eq!(plan.next(&asking(9), tally(0, 3, 2), 9, at(0)), Some(Stage::Asked), "nobody is left to spare");
        assert_eq!(plan.next(&asking(2), tally(0, 0, 2), 2, at(0)), Some(Stage::Asked));
        for end in [Stage::Asked, Stage::Stopped(SkipReason::Canary)] {
            assert_eq!(plan.next(&end, tally(1, 1, 5), 9, at(0)), None);
        }
    }

    proptest! {
        /// Whatever the plan and whatever becomes of each host: it ends, asks nobody twice, and asks nobody after it stopped.
        #[test]
        fn it_comes_to_an_end(
            hosts in 0_usize..40, canary in 0_usize..5, batch in prop::option::of(0_usize..9),
            max_fail in prop::option::of(0_usize..5), pause in 0_u64..2, fails in prop::collection::vec(any::<bool>(), 40),
        ) {
            let plan = Rollout { canary, batch, pause: Duration::from_secs(pause), max_fail, retry: 0 };
            let (mut stage, mut asked, mut ended, mut now) = (plan.first(hosts), 0, 0, 0);
            for _ in 0..500 {
                let (Stage::Asking { upto } | Stage::Pausing { upto, .. }) = stage else { break };
                let failed = fails[..ended].iter().filter(|fails| **fails).count();
                let tally = Tally { unasked: upto - asked, open: asked - ended, failed };
                if let Some(next) = plan.next(&stage, tally, hosts, at(now)) {
                    if let Stage::Asking { upto: new } | Stage::Pausing { upto: new, .. } = next {
                        prop_assert!(new >= upto && new <= hosts);
                    }
                    stage = next;
                } else if asked < upto && matches!(stage, Stage::Asking { .. }) {
                    asked += 1;
                } else if ended < asked {
                    ended += 1;
                } else {
                    now += 1;
                }
            }
            match stage {
                Stage::Asked => prop_assert_eq!(asked, hosts),
                Stage::Stopped(_) => prop_assert!(asked < hosts && fails[..ended].contains(&true)),
                _ => prop_assert!(false, "{:?} is no end", stage),
            }
        }
    }
}
