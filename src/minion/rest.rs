//! A minion that has nothing to do gives back the memory that only its work needs.
//!
//! Idle is whoever used hardly any processor time between two looks. What was given back comes back by itself with the next
//! call, which takes a few hundred microseconds longer for it.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::sys::rest;

/// How often to look.
const LOOK: Duration = Duration::from_secs(20);
/// Processor time between two looks that is less than any work takes, and more than looking around.
const HARDLY_ANY: Duration = Duration::from_millis(20);

/// Looks until the minion stops.
pub(super) async fn when_idle(stopping: CancellationToken) {
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pulse = Pulse::default();
    while stopping.run_until_cancelled(looks.tick()).await.is_some() {
        let Ok(used) = rest::processor_time() else { return };
        if pulse.is_time_to_rest(used)
            && let Err(error) = rest::rest()
        {
            return tracing::debug!(%error, "cannot give memory back");
        }
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Pulse {
    used: Duration,
    rested: bool,
}

impl Pulse {
    /// Once in each time of idleness.
    fn is_time_to_rest(&mut self, used: Duration) -> bool {
        let idle = used.saturating_sub(self.used) < HARDLY_ANY;
        self.used = used;
        let time = idle && !self.rested;
        self.rested = idle;
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rest_follows_each_work() {
        let mut pulse = Pulse::default();
        let looks = [500, 505, 510, 900, 905, 2000, 2100, 2101, 2102];
        let rests: Vec<_> =
            looks.into_iter().filter(|used| pulse.is_time_to_rest(Duration::from_millis(*used))).collect();
        assert_eq!(rests, [505, 905, 2101]);
    }
}
