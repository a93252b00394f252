//! Time that survives restarts, and time that nobody can set.
//!
//! The wall clock jumps (a fresh machine boots in 1970, an operator mistypes a year); `CLOCK_BOOTTIME`
//! does not, counts sleep too, but starts again with each boot. A [`Moment`] carries both, so that
//! the time between two moments is measured by the better one.

use std::{fs, time::Duration};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which boot of the machine this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootId([u8; 16]);

impl BootId {
    /// Asks the kernel. Where it does not say, every process is a boot of its own, which makes
    /// [`Moment::until`] fall back to the wall clock.
    pub fn current() -> Self {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self(*Uuid::try_parse(text.trim()).unwrap_or_else(|_| Uuid::now_v7()).as_bytes())
    }

    /// Now, in this boot.
    pub fn now(self) -> Moment {
        Moment { boot: self, since_boot: since_boot(), wall: Timestamp::now() }
    }
}

/// A point in time by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The boot that `since_boot` counts from.
    pub boot: BootId,
    /// `CLOCK_BOOTTIME`.
    pub since_boot: Duration,
    /// The wall clock.
    pub wall: Timestamp,
}

impl Moment {
    /// The time from this moment to a later one: by BOOTTIME within one boot, else by the wall clock,
    /// and never negative.
    pub fn until(&self, later: &Moment) -> Duration {
        if self.boot == later.boot {
            return later.since_boot.saturating_sub(self.since_boot);
        }
        Duration::try_from(later.wall.duration_since(self.wall)).unwrap_or(Duration::ZERO)
    }
}

/// The time since the machine was booted, sleep included.
pub fn since_boot() -> Duration {
    // The clock exists since Linux 2.6.39; the answer cannot fail on a kernel that can run this program.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot: u8, since_boot: u64, wall: i64) -> Moment {
        Moment {
            boot: BootId([boot; 16]),
            since_boot: Duration::from_secs(since_boot),
            wall: Timestamp::from_second(wall).unwrap(),
        }
    }

    #[test]
    fn within_a_boot_the_wall_clock_does_not_matter() {
        assert_eq!(moment(1, 10, 1_000_000).until(&moment(1, 15, 0)), Duration::from_secs(5));
        assert_eq!(moment(1, 15, 0).until(&moment(1, 10, 50)), Duration::ZERO);
    }

    #[test]
    fn over_a_reboot_the_wall_clock_is_all_there_is() {
        assert_eq!(moment(1, 500, 1000).until(&moment(2, 3, 1060)), Duration::from_mins(1));
        assert_eq!(moment(1, 500, 1000).until(&moment(2, 3, 10)), Duration::ZERO);
    }

    #[test]
    fn the_boot_is_the_same_when_asked_twice() {
        assert_eq!(BootId::current(), BootId::current());
        assert!(since_boot() > Duration::ZERO);
    }
}
