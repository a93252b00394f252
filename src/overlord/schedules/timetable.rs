//! When: a cron expression in a time zone.
//!
//! | expression | |
//! | --- | --- |
//! | `30 2 * * mon-fri` | minute, hour, day of the month, month, day of the week |
//! | `*/10 30 2 * * *` | the same with seconds before them |
//! | `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` | what they say |
//!
//! Where clocks are put forward, a time that does not exist has no run, except that a single time of day (`30 2 * * *`) runs at
//! the first moment after the gap. Where they are put back and an hour comes twice, an expression that names hours
//! (`30 2 * * *`, `*/20 1-3 * * *`) runs the first time only; one that does not (`*/20 * * * *`, `0 */2 * * *`) counts hours
//! as they pass, and runs both times.

use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp, Zoned,
    tz::{AmbiguousOffset, TimeZone},
};

use super::ScheduleError;

/// More than any clock repeats in seconds.
const REPEATS: usize = 20_000;

/// Instants, named by a cron expression in a time zone.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    text: String,
    zone: TimeZone,
    names_hours: bool,
}

impl Timetable {
    /// Reads an expression. `zone` is a name of the time zone database, like `Europe/Prague`.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        let zone = if zone.eq_ignore_ascii_case("UTC") {
            TimeZone::UTC
        } else {
            TimeZone::get(zone).map_err(|source| ScheduleError::Zone { zone: zone.to_owned(), source })?
        };
        Self::of(cron, zone)
    }

    fn of(cron: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let text = cron.split_whitespace().collect::<Vec<_>>().join(" ");
        let refuse = |why: String| ScheduleError::Cron { cron: clipped(cron), why };
        // A longer one says nothing that a shorter could not, and an error repeats it.
        if text.len() > LONGEST {
            return Err(refuse(format!("it is longer than {LONGEST} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(&text).map_err(|error| refuse(plain(&error)))?;
        let names_hours = match text.split(' ').collect::<Vec<_>>()[..] {
            [nickname] => !nickname.eq_ignore_ascii_case("@hourly"),
            [.., hour, _, _, _] => !hour.starts_with('*'),
            _ => true,
        };
        Ok(Self { cron, text, zone, names_hours })
    }

    /// The zone of this machine, or UTC if it has none with a name.
    pub fn zone_here() -> String {
        TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
    }

    /// The expression, with single blanks.
    pub fn cron(&self) -> &str {
        &self.text
    }

    /// A time in the zone.
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The first instant after this one; none if there is none any more.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = self.local(after);
        for _ in 0..REPEATS {
            let found = self.cron.find_next_occurrence(&from, false).ok()?;
            if !self.is_repeated(&found) {
                return Some(found.timestamp());
            }
            from = found;
        }
        None
    }

    /// The last instant up to and with this one.
    pub fn last(&self, upto: Timestamp) -> Option<Timestamp> {
        // The library looks at whole seconds.
        let mut from = self.local(Timestamp::from_second(upto.as_second()).ok()?);
        let mut inclusive = true;
        for _ in 0..REPEATS {
            let found = self.cron.find_previous_occurrence(&from, inclusive).ok()?;
            if !self.is_repeated(&found) {
                return Some(found.timestamp());
            }
            (from, inclusive) = (found, false);
        }
        None
    }

    /// Whether it is the second of two times that a clock shows, and only the first is meant.
    fn is_repeated(&self, found: &Zoned) -> bool {
        self.names_hours
            && matches!(self.zone.to_ambiguous_zoned(found.datetime()).offset(),
                        AmbiguousOffset::Fold { after, .. } if after == found.offset())
    }
}

const LONGEST: usize = 200;

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The library's errors speak of its types.
fn plain(error: &CronError) -> String {
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(_) => {
            "it has five fields (minute, hour, day of the month, month, day of the week), or six with seconds before them"
                .to_owned()
        }
        CronError::IllegalCharacters(why) | CronError::ComponentError(why) => {
            let why = why.trim_end_matches('.');
            why.strip_prefix("CronPattern contains ").unwrap_or(why).to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Central Europe, wherever the tests run and whatever is known there of zones.
    fn table(cron: &str) -> Timetable {
        Timetable::of(cron, TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// So many instants from here, as the clock shows them.
    fn times(cron: &str, from: &str, count: usize) -> Vec<String> {
        let table = table(cron);
        let next = |after: &Timestamp| table.next(*after);
        let found = std::iter::successors(next(&at(from)), next).take(count);
        found.map(|at| table.local(at).strftime("%dT%H:%M:%S%:z").to_string()).collect()
    }

    #[test]
    fn in_spring_a_single_time_of_day_that_does_not_exist_runs_after_the_gap() {
        let days = times("30 2 * * *", "2026-03-27T12:00:00Z", 3);
        assert_eq!(days, ["28T02:30:00+01:00", "29T03:00:00+02:00", "30T02:30:00+02:00"]);
    }

    #[test]
    fn in_spring_one_of_several_times_that_does_not_exist_has_no_run() {
        let several = times("30 1-3 * * *", "2026-03-29T00:00:00Z", 3);
        assert_eq!(several, ["29T01:30:00+01:00", "29T03:30:00+02:00", "30T01:30:00+02:00"]);
        let hours = times("0 * * * *", "2026-03-29T00:00:00Z", 2);
        assert_eq!(hours, ["29T03:00:00+02:00", "29T04:00:00+02:00"], "no hour is lost, 02:00 is not on the clock");
    }

    #[test]
    fn in_autumn_a_time_that_comes_twice_runs_once_if_hours_are_named() {
        for cron in ["30 2 * * *", "30 2-2 * * *", "0 30 2 * * *"] {
            assert_eq!(times(cron, "2026-10-24T12:00:00Z", 2), ["25T02:30:00+02:00", "26T02:30:00+01:00"], "{cron}");
        }
        let often = times("*/30 2,3 * * *", "2026-10-24T22:00:00Z", 5);
        let once =
            ["25T02:00:00+02:00", "25T02:30:00+02:00", "25T03:00:00+01:00", "25T03:30:00+01:00", "26T02:00:00+01:00"];
        assert_eq!(often, once);
    }

    #[test]
    fn in_autumn_hours_are_counted_as_they_pass_if_none_is_named() {
        let hours = times("0 * * * *", "2026-10-24T23:00:00Z", 4);
        assert_eq!(hours, ["25T02:00:00+02:00", "25T02:00:00+01:00", "25T03:00:00+01:00", "25T04:00:00+01:00"]);
        assert_eq!(times("@hourly", "2026-10-24T23:00:00Z", 4), hours);
        assert_eq!(times("0 */2 * * *", "2026-10-24T23:00:00Z", 2), hours[..2]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_says_why() {
        let refused = |cron: &str| Timetable::parse(cron, "UTC").unwrap_err().to_string();
        for (cron, why) in [
            ("", "empty"),
            ("* * * *", "five fields"),
            ("0 0 0 1 1 * 2030", "five fields"),
            ("61 * * * *", "bounds"),
            ("nope", "five fields"),
            ("a b c d e", "illegal character"),
            (&"*,".repeat(200), "longer"),
        ] {
            let text = refused(cron);
            assert!(text.contains(why) && text.len() < 400, "{cron:?}: {text}");
        }
        let zone = Timetable::parse("@daily", "Europe/Atlantis").unwrap_err().to_string();
        assert!(zone.contains("`Europe/Atlantis`"), "{zone}");
        assert_eq!(table("0 0 30 2 *").next(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn instants_are_whole_seconds() {
        let table = table("* * * * * *");
        assert_eq!(table.next(at("2026-01-01T00:00:00.7Z")), Some(at("2026-01-01T00:00:01Z")));
        assert_eq!(table.last(at("2026-01-01T00:00:00.7Z")), Some(at("2026-01-01T00:00:00Z")));
        assert_eq!(table.last(at("2026-01-01T00:00:00Z")), Some(at("2026-01-01T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn looking_back_finds_what_looking_forward_found(
            cron in prop::sample::select(vec![
                "30 2 * * *", "*/20 * * * *", "*/20 1-3 * * *", "0 */2 * * *", "30 1-3 * * *", "0 0 * * 0", "15,45 2,3 * * *",
                "@hourly", "0 3 L * *", "*/7 2 * * sun", "59 59 2 * * *",
            ]),
            month in prop::sample::select(vec![3_i8, 10]),
            start in 0_i64..(9 * 86_400),
        ) {
            let table = table(cron);
            let first = at(&format!("2026-{month:02}-22T00:00:00Z"));
            let from = Timestamp::from_second(first.as_second() + start).unwrap();
            let next = table.next(from).unwrap();
            prop_assert!(next > from);
            prop_assert_eq!(table.last(next), Some(next));
            let before = Timestamp::from_second(next.as_second() - 1).unwrap();
            prop_assert!(table.last(before).is_none_or(|last| last <= from), "{:?}", table.last(before));
        }
    }

    #[test]
    fn any_expression_is_read_or_refused_and_ends() {
        let corpus: [&[u8]; 4] = [b"30 2 * * mon-fri", b"*/10 1,2-5/2 L 1-12 5#3", b"0 0 12 1W * *", b"@daily"];
        let words = ["*", "/", "-", ",", "#", "L", "W", "?", " ", "@", "sun", "99999999999", "0"];
        crate::sys::fuzz::fuzz("cron", &corpus, &words, |bytes| {
            let table = Timetable::parse(&String::from_utf8_lossy(bytes), "UTC").ok()?;
            let now = Timestamp::from_second(1_900_000_000).unwrap();
            Some((table.next(now).is_some(), table.last(now).is_some(), table.names_hours))
        });
    }
}
