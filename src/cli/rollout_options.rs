//! In which steps a fleet is called: the options of `call` and `job retry`.

use clap::Args;

use crate::config::Period;
use crate::fleet::{Rollout, Share, Steps};

/// Batches, a canary, and when to stop.
#[derive(Debug, Clone, Args)]
pub(super) struct RolloutOptions {
    /// Call so many hosts at a time, and the next when all of them have ended: a number, or a percentage of all
    #[arg(long, value_name = "N|N%")]
    batch: Option<Share>,
    /// Wait so long between two batches
    #[arg(long, value_name = "PERIOD")]
    pause: Option<Period>,
    /// Call so many hosts first, and the others only if all of them are well
    #[arg(long, value_name = "N|N%")]
    canary: Option<Share>,
    /// Call nobody else once more than so many have failed; 0 stops at the first
    #[arg(long, value_name = "N|N%")]
    max_fail: Option<Share>,
    /// Try a host that cannot be reached so often again; what may have arrived is never sent as a new call
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry: u32,
}

impl RolloutOptions {
    /// What they mean for so many hosts.
    pub(super) fn for_hosts(&self, hosts: usize) -> Rollout {
        self.steps().for_hosts(hosts)
    }

    /// What they mean for any number of hosts.
    pub(super) fn steps(&self) -> Steps {
        Steps {
            canary: self.canary,
            batch: self.batch,
            pause: self.pause.map(Period::duration).unwrap_or_default(),
            max_fail: self.max_fail,
            retry: self.retry,
        }
    }
}
