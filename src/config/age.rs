//! How long ago something was, as people say it.

use std::time::Duration;

use jiff::Timestamp;

/// How long ago, in its largest unit: `45s`, `7m`, `3h`, `12d`.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = passed(at, now).as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "s"));
    format!("{}{unit}", seconds / size)
}

/// How much time has passed, in whole seconds; none if the clock was set back.
pub fn passed(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(now.as_second() - at.as_second()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(2_000_000_000 - seconds).unwrap(), now);
        assert_eq!([-5, 0, 59, 60, 7_199, 86_399, 172_800].map(ago), ["0s", "0s", "59s", "1m", "1h", "23h", "2d"]);
    }
}
