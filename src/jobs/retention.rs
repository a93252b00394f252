//! Which ended jobs are forgotten, and when.
//!
//! A result is kept until its owner has fetched it, though not for ever: 7 days. Fetched means that an
//! answer was given out, not that it arrived: the connection may have been cut on the way, or the overlord killed before it
//! had stored the result, and then the owner asks again. So a fetched result stays for a day from then on, or, when the records of all jobs
//! together are too large, for an hour ([`FRESH`]); those that ended first go first. What is left is a tombstone, which keeps the id from being run again for longer than
//! an overlord goes on resuming. A job that has not ended is never touched.
//!
//! Ages are measured by BOOTTIME within one boot. Over a reboot only the wall clock knows, and it may be
//! years off (an empty battery, a machine that was moved). So nothing is purged in the first hour with
//! records of another boot, nor in an hour after the wall clock has jumped: time for somebody, or NTP,
//! to put it right.

use std::time::Duration;

use crate::{ids::MinionJobId, sys::clock::Moment};

/// How far the wall clock may stray from BOOTTIME between two looks.
const JUMP: Duration = Duration::from_mins(1);
/// How long nothing is purged after a jump, or at first with records of another boot.
const SUSPENSION: Duration = Duration::from_hours(1);

/// So long its owner can ask for a result again, however much room is wanted.
const FRESH: Duration = Duration::from_hours(1);

/// For how long ended jobs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// A fetched result, from then on.
    pub acknowledged: Duration,
    /// A result that nobody fetched.
    pub unacknowledged: Duration,
    /// The mark that keeps a purged id from being used again: longer than overlords resume.
    pub tombstone: Duration,
    /// All records together, in bytes. To stay below, fetched results go early, though not at once.
    pub total_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self { acknowledged: DAY, unacknowledged: 7 * DAY, tombstone: 14 * DAY, total_bytes: 512 << 20 }
    }
}

/// A job that may be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remains {
    /// It has ended.
    Ended { at: Moment, fetched: Option<Moment>, bytes: u64 },
    /// It has been purged.
    Tombstone { at: Moment },
}

/// What is to be done with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purge {
    /// Put a tombstone in place of its record.
    Bury,
    /// Remove its tombstone.
    Remove,
}

/// Decides. The order of the answer is that in which to purge.
pub(super) fn plan<'a>(
    retention: &Retention,
    now: &Moment,
    jobs: impl IntoIterator<Item = (&'a MinionJobId, Remains)>,
) -> Vec<(MinionJobId, Purge)> {
    let (mut purges, mut kept, mut total) = (Vec::new(), Vec::new(), 0);
    for (id, remains) in jobs {
        match remains {
            Remains::Tombstone { at } => {
                if at.until(now) >= retention.tombstone {
                    purges.push((id.clone(), Purge::Remove));
                }
            }
            Remains::Ended { at, fetched, bytes } => {
                // Whatever is configured, what was fetched is not kept longer than what nobody fetches.
                let allowed =
                    fetched.map_or(retention.unacknowledged, |_| retention.acknowledged.min(retention.unacknowledged));
                let idle = fetched.unwrap_or(at).until(now);
                if idle >= allowed {
                    purges.push((id.clone(), Purge::Bury));
                } else {
                    total += bytes;
                    if fetched.is_some() && idle >= FRESH {
                        kept.push((at.until(now), id, bytes));
                    }
                }
            }
        }
    }
    kept.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    for (_, id, bytes) in kept {
        if total <= retention.total_bytes {
            break;
        }
        total -= bytes;
        purges.push((id.clone(), Purge::Bury));
    }
    purges
}

/// Notices jumps of the wall clock.
#[derive(Debug, Clone)]
pub(super) struct JumpGuard {
    last: Moment,
    suspended_at: Option<Duration>,
}

impl JumpGuard {
    pub(super) fn new(now: Moment) -> Self {
        Self { last: now, suspended_at: None }
    }

    /// Trusts nothing for a while: there are ages that only the wall clock can tell.
    pub(super) fn suspend(&mut self) {
        self.suspended_at = Some(self.last.since_boot);
    }

    /// Whether ages can be trusted at this moment; to be asked at every look.
    pub(super) fn trusts(&mut self, now: Moment) -> bool {
        let by_boot = now.since_boot.saturating_sub(self.last.since_boot);
        let by_wall = now.wall.duration_since(self.last.wall);
        let stray = by_wall - jiff::SignedDuration::try_from(by_boot).unwrap_or(jiff::SignedDuration::MAX);
        self.last = now;
        if stray.unsigned_abs() > JUMP {
            tracing::warn!(%stray, "the clock has jumped; no job is purged for an hour");
            self.suspended_at = Some(now.since_boot);
        }
        if let Some(at) = self.suspended_at
            && now.since_boot.saturating_sub(at) >= SUSPENSION
        {
            self.suspended_at = None;
        }
        self.suspended_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::samples, *};

    const HOUR: u64 = 3600;
    /// The tests' now lies in the future, or a machine could be too young for jobs of yesterday.
    const NOW: i64 = 100 * 24 * 3600;

    fn retention() -> Retention {
        Retention {
            acknowledged: Duration::from_secs(3 * HOUR),
            unacknowledged: Duration::from_secs(24 * HOUR),
            tombstone: Duration::from_secs(48 * HOUR),
            total_bytes: 100,
        }
    }

    /// So many hours and a little before now.
    fn before(hours: i64) -> Moment {
        samples::moment(NOW - hours * 3600 - 1)
    }

    fn unfetched(hours: i64, bytes: u64) -> (MinionJobId, Remains) {
        (MinionJobId::fresh(), Remains::Ended { at: before(hours), fetched: None, bytes })
    }

    fn fetched(ended: i64, fetched: i64, bytes: u64) -> (MinionJobId, Remains) {
        (MinionJobId::fresh(), Remains::Ended { at: before(ended), fetched: Some(before(fetched)), bytes })
    }

    fn purges(jobs: &[(MinionJobId, Remains)]) -> Vec<(usize, Purge)> {
        let plan = plan(&retention(), &samples::moment(NOW), jobs.iter().map(|(id, remains)| (id, remains.clone())));
        plan.into_iter().map(|(id, purge)| (jobs.iter().position(|job| job.0 == id).unwrap(), purge)).collect()
    }

    #[test]
    fn results_go_when_they_were_fetched_and_are_old_or_when_nobody_ever_fetches_them() {
        let jobs = [fetched(2, 2, 1), fetched(3, 3, 1), unfetched(3, 1), unfetched(24, 1)];
        assert_eq!(purges(&jobs), [(1, Purge::Bury), (3, Purge::Bury)]);
    }

    #[test]
    fn when_there_is_too_much_the_oldest_fetched_results_go_first() {
        let jobs = [fetched(10, 1, 50), fetched(12, 2, 50), unfetched(13, 50), fetched(11, 1, 50)];
        assert_eq!(purges(&jobs), [(1, Purge::Bury), (3, Purge::Bury)]);
    }

    #[test]
    fn what_was_just_fetched_stays_however_much_it_is() {
        assert_eq!(purges(&[fetched(20, 0, 1000), fetched(20, 1, 1)]), [(1, Purge::Bury)]);
    }

    #[test]
    fn a_result_that_was_fetched_late_can_be_fetched_again() {
        assert_eq!(purges(&[fetched(23, 0, 1), fetched(30, 2, 1)]), []);
    }

    #[test]
    fn what_nobody_fetched_stays_however_much_it_is() {
        assert_eq!(purges(&[unfetched(2, 1000), unfetched(3, 1000)]), []);
    }

    #[test]
    fn tombstones_last_longer() {
        let at =
            |hours: i64| (MinionJobId::fresh(), Remains::Tombstone { at: samples::moment(NOW - hours * 3600 - 1) });
        assert_eq!(purges(&[at(47), at(48)]), [(1, Purge::Remove)]);
    }

    proptest! {
        #[test]
        fn an_unfetched_result_is_never_purged_early(
            jobs in prop::collection::vec((0..23_i64, any::<bool>(), 0..200_u64), 0..20)
        ) {
            let job = |(hours, seen, bytes)| if seen { fetched(hours, hours, bytes) } else { unfetched(hours, bytes) };
            let jobs: Vec<_> = jobs.into_iter().map(job).collect();
            for (index, _) in purges(&jobs) {
                let was_fetched = matches!(jobs[index].1, Remains::Ended { fetched: Some(_), .. });
                prop_assert!(was_fetched);
            }
        }
    }

    /// A moment of the same boot, so much later by the two clocks.
    fn later(start: Moment, boot: u64, wall: i64) -> Moment {
        Moment {
            since_boot: start.since_boot + Duration::from_secs(boot),
            wall: start.wall.checked_add(jiff::SignedDuration::from_secs(wall)).unwrap(),
            ..start
        }
    }

    #[test]
    fn with_records_of_another_boot_nothing_is_purged_for_an_hour() {
        let start = samples::moment(0);
        let mut guard = JumpGuard::new(start);
        guard.suspend();
        assert!(!guard.trusts(start));
        assert!(!guard.trusts(later(start, 3599, 3599)));
        assert!(guard.trusts(later(start, 3600, 3600)));
    }

    #[test]
    fn a_jump_of_the_wall_clock_suspends_purging_for_an_hour() {
        let start = samples::moment(0);
        let at = |boot, wall| later(start, boot, wall);
        let mut guard = JumpGuard::new(start);
        assert!(guard.trusts(at(60, 61)));
        assert!(!guard.trusts(at(120, 1_000_000)));
        assert!(!guard.trusts(at(180, 1_000_060)));
        assert!(!guard.trusts(at(200, 0)));
        assert!(!guard.trusts(at(3700, 3500)));
        assert!(guard.trusts(at(3801, 3601)));
    }
}
