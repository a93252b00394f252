//! What is due: a rule without a clock of its own.

use std::time::Duration;

use jiff::Timestamp;

use super::Timetable;

/// A clock that was set back by more than this had been wrong.
const SET_BACK: Duration = Duration::from_hours(1);

/// So many instants are counted; more are told as so many.
const COUNTED: u32 = 1_000;

/// Instants that have passed and will not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// The first.
    pub(super) from: Timestamp,
    /// The last.
    pub(super) upto: Timestamp,
    /// How many they are, at most [`COUNTED`].
    pub(super) count: u32,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before the next instant, if there is one.
    Nothing {
        /// When that is.
        next: Option<Timestamp>,
    },
    /// Instants have passed.
    Instants {
        /// They are missed.
        missed: Option<Passed>,
        /// It can run.
        run: Option<Timestamp>,
    },
    /// The clock shows an earlier time than could be.
    ClockSetBack,
}

/// What is due at `now`, when all instants up to `judged` have been judged.
pub(super) fn due(table: &Timetable, judged: Timestamp, catch_up: Duration, now: Timestamp) -> Due {
    let since = |from: Timestamp, to: Timestamp| Duration::try_from(to.duration_since(from)).unwrap_or_default();
    if since(now, judged) > SET_BACK {
        return Due::ClockSetBack;
    }
    match table.last(now).filter(|last| *last > judged) {
        None => Due::Nothing { next: table.next(judged.max(now)) },
        Some(newest) if since(newest, now) > catch_up => {
            Due::Instants { missed: passed(table, judged, newest), run: None }
        }
        Some(newest) => Due::Instants { missed: passed_before(table, judged, newest), run: Some(newest) },
    }
}

/// The instants after `judged` and before `instant`.
pub(super) fn passed_before(table: &Timetable, judged: Timestamp, instant: Timestamp) -> Option<Passed> {
    let before = Timestamp::from_second(instant.as_second() - 1).ok()?;
    passed(table, judged, table.last(before)?)
}

/// The instants after `judged` up to `newest`, which is one.
fn passed(table: &Timetable, judged: Timestamp, newest: Timestamp) -> Option<Passed> {
    let from = table.next(judged).filter(|from| *from <= newest)?;
    let mut found = Passed { from, upto: newest, count: 1 };
    let mut at = from;
    while found.count < COUNTED
        && let Some(next) = table.next(at).filter(|next| *next <= newest)
    {
        at = next;
        found.count += 1;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(text: &str) -> Timestamp {
        format!("2026-05-05T{text}Z").parse().unwrap()
    }

    fn hourly(judged: &str, catch_up: Duration, now: &str) -> Due {
        due(&Timetable::parse("0 * * * *", "UTC").unwrap(), at(judged), catch_up, at(now))
    }

    #[test]
    fn an_instant_runs_when_it_has_come_and_not_before() {
        assert_eq!(hourly("08:30:00", MINUTE, "08:59:59.9"), Due::Nothing { next: Some(at("09:00:00")) });
        let runs = Due::Instants { missed: None, run: Some(at("09:00:00")) };
        for now in ["09:00:00", "09:00:30", "09:01:00"] {
            assert_eq!(hourly("08:30:00", MINUTE, now), runs, "{now}");
        }
        assert_eq!(hourly("09:00:00", MINUTE, "09:00:30"), Due::Nothing { next: Some(at("10:00:00")) });
    }

    #[test]
    fn one_that_is_too_late_is_missed_and_of_many_only_the_newest_runs() {
        let passed = |from, upto, count| Some(Passed { from: at(from), upto: at(upto), count });
        let late = hourly("08:30:00", MINUTE, "09:01:01");
        assert_eq!(late, Due::Instants { missed: passed("09:00:00", "09:00:00", 1), run: None });
        let many = hourly("03:30:00", MINUTE, "09:30:00");
        assert_eq!(many, Due::Instants { missed: passed("04:00:00", "09:00:00", 6), run: None });
        let caught_up = hourly("03:30:00", Duration::from_hours(1), "09:30:00");
        assert_eq!(caught_up, Due::Instants { missed: passed("04:00:00", "08:00:00", 5), run: Some(at("09:00:00")) });
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_repeats_nothing_and_one_set_back_far_was_wrong() {
        assert_eq!(hourly("09:00:00", MINUTE, "08:10:00"), Due::Nothing { next: Some(at("10:00:00")) });
        assert_eq!(hourly("09:00:00", MINUTE, "07:59:59"), Due::ClockSetBack);
    }

    #[test]
    fn years_of_seconds_are_not_counted_one_by_one() {
        let table = Timetable::parse("* * * * * *", "UTC").unwrap();
        let judged = "1999-01-01T00:00:00Z".parse().unwrap();
        let Due::Instants { missed: Some(missed), run } = due(&table, judged, MINUTE, at("09:00:00")) else { panic!() };
        assert_eq!((missed.count, missed.upto, run), (COUNTED, at("08:59:59"), Some(at("09:00:00"))));
    }

    proptest! {
        /// Whenever somebody looks, and however long nobody does: every instant is judged once.
        #[test]
        fn each_instant_is_missed_or_runs_once(
            steps in prop::collection::vec(0_i64..500, 1..40),
            catch_up in 0_u64..400,
            cron in prop::sample::select(vec!["* * * * *", "*/2 * * * *", "1,3 * * * *", "*/17 * * * * *"]),
        ) {
            let table = Timetable::parse(cron, "UTC").unwrap();
            let begin = at("00:00:00");
            let (mut now, mut judged, mut counted) = (begin, begin, 0);
            for step in steps {
                now = Timestamp::from_second(now.as_second() + step).unwrap();
                if let Due::Instants { missed, run } = due(&table, judged, Duration::from_secs(catch_up), now) {
                    counted += missed.map_or(0, |missed| missed.count) + u32::from(run.is_some());
                    let upto = run.or(missed.map(|missed| missed.upto)).unwrap();
                    prop_assert!(upto > judged && upto <= now);
                    judged = upto;
                }
            }
            let all = std::iter::successors(table.next(begin), |at| table.next(*at)).take_while(|at| *at <= now).count();
            prop_assert_eq!(counted as usize, all);
        }
    }
}
