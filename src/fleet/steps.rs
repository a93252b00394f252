//! In which steps a fan-out is wanted, before it is known to how many hosts.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::Rollout;

/// Batches, a canary, and when to stop. The default asks everybody at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// So many hosts are asked first, and the others only if all of them are well.
    pub canary: Option<Share>,
    /// So many hosts make a batch.
    pub batch: Option<Share>,
    /// How long to wait between two batches.
    pub pause: Duration,
    /// When more than so many have failed, nobody else is asked.
    pub max_fail: Option<Share>,
    /// How often a host that cannot be reached is tried again.
    pub retry: u32,
}

impl Steps {
    /// What they mean for so many hosts. A part of them is one host at least, but of those that may fail.
    pub fn for_hosts(&self, hosts: usize) -> Rollout {
        let some = |share: Share| share.of(hosts).max(1);
        Rollout {
            canary: self.canary.filter(|share| *share != Share::Count(0)).map_or(0, some),
            batch: self.batch.map(some),
            pause: self.pause,
            max_fail: self.max_fail.map(|share| share.of(hosts)),
            retry: self.retry,
        }
    }
}

/// So many hosts, or such a part of them: `5` or `20%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(u8),
}

/// A text that is no [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is neither a number nor a percentage; write it like 5 or 20%")]
pub struct InvalidShare {
    text: String,
}

impl Share {
    /// How many of so many that is, rounded down.
    pub fn of(self, hosts: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => hosts.saturating_mul(usize::from(percent)) / 100,
        }
    }
}

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let invalid = || InvalidShare { text: text.to_owned() };
        let digits = text.strip_suffix('%').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        if digits.len() < text.len() {
            let percent = digits.parse().ok().filter(|percent| *percent <= 100);
            return percent.map(Self::Percent).ok_or_else(invalid);
        }
        digits.parse().map(Self::Count).map_err(|_| invalid())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_or_percentages() {
        for (text, hosts, count) in [("5", 20, 5), ("20%", 20, 4), ("20%", 3, 0), ("100%", 7, 7), ("0", 9, 0)] {
            let share: Share = text.parse().unwrap();
            assert_eq!((share.of(hosts), share.to_string().as_str()), (count, text));
        }
        for text in ["", "%", "-1", "101%", "1.5%", "5 %", "+3", "many"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_small_share_of_few_hosts_is_one_host_and_none_that_may_fail() {
        let share = Some(Share::Percent(20));
        let steps = Steps { canary: share, batch: share, max_fail: share, ..Steps::default() };
        let rollout = steps.for_hosts(3);
        assert_eq!((rollout.canary, rollout.batch, rollout.max_fail), (1, Some(1), Some(0)));
        assert_eq!(Steps { canary: Some(Share::Count(0)), ..steps }.for_hosts(3).canary, 0, "no canary");
        assert_eq!(Steps::default().for_hosts(3), Rollout::default());
    }
}
