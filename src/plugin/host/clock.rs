//! `minion:host/clock`: the time.

use std::{sync::LazyLock, time::Instant};

use super::bindings::minion::host::{clock::Host, types};
use crate::plugin::state::State;

/// The moment from which monotonic time counts.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Host for State {
    fn now(&mut self) -> types::Datetime {
        datetime(jiff::Timestamp::now())
    }

    fn monotonic_ns(&mut self) -> u64 {
        u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A moment as modules see it: the fraction counts forwards, also before 1970.
pub(super) fn datetime(time: jiff::Timestamp) -> types::Datetime {
    match u32::try_from(time.subsec_nanosecond()) {
        Ok(nanoseconds) => types::Datetime { seconds: time.as_second(), nanoseconds },
        Err(_) => types::Datetime {
            seconds: time.as_second() - 1,
            nanoseconds: (time.subsec_nanosecond() + 1_000_000_000).unsigned_abs(),
        },
    }
}
