//! Times as people and machines write them, in UTC.

use crate::Datetime;

const DAY: i64 = 86_400;

/// The date of a day, counted from 1970-01-01: `2026-02-28`.
pub fn date(day: i64) -> String {
    // Counted in eras of 400 years, which are equally long, from 1 March, so that the leap day comes last.
    let day = day.saturating_add(719_468);
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A moment in UTC (RFC 3339), in whole seconds: `2026-02-28T12:00:00Z`.
pub fn utc(moment: Datetime) -> String {
    let (day, second) = (moment.seconds.div_euclid(DAY), moment.seconds.rem_euclid(DAY));
    format!("{}T{:02}:{:02}:{:02}Z", date(day), second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (day, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_512, "2026-02-28"),
            (20_513, "2026-03-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(day), text, "{day}");
        }
    }

    #[test]
    fn moments_become_text() {
        let at = |seconds| utc(Datetime { seconds, nanoseconds: 7 });
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(-1), "1969-12-31T23:59:59Z");
        assert_eq!(at(1_772_280_123), "2026-02-28T12:02:03Z");
    }
}
