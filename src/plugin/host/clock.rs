//! `minion:host/clock`: the time.

use std::{sync::LazyLock, time::Instant};

use serde::{Deserialize, Serialize};

use super::{
    bindings::minion::host::{clock::Host, types},
    call::Question,
};
use crate::plugin::state::State;

/// The moment from which monotonic time counts.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Debug, Serialize, Deserialize)]
struct Now {}

impl Question for Now {
    const NAME: &'static str = "clock.now";
    type Answer = types::Datetime;

    fn answer(&self, _: &State) -> types::Datetime {
        datetime(jiff::Timestamp::now())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct MonotonicNs {}

impl Question for MonotonicNs {
    const NAME: &'static str = "clock.monotonic-ns";
    type Answer = u64;

    fn answer(&self, _: &State) -> u64 {
        u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Host for State {
    fn now(&mut self) -> types::Datetime {
        self.ask(&Now {})
    }

    fn monotonic_ns(&mut self) -> u64 {
        self.ask(&MonotonicNs {})
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
