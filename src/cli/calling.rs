//! Whom, what and how: what the options of `call` and `schedule add` have in common.

use clap::Args;

use super::fleet_options::FleetOptions;
use super::rollout_options::RolloutOptions;
use crate::fleet::{Filter, Target};
use crate::ids::MethodName;

/// A call, before anybody knows the types of its arguments.
#[derive(Debug, Args)]
pub(super) struct Calling {
    /// Whom: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    pub(super) target: Target,
    /// What: MODULE.METHOD
    pub(super) method: MethodName,
    /// With what
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) fleet: FleetOptions,
    #[command(flatten)]
    pub(super) rollout: RolloutOptions,
    /// Only where these facts hold, as each host says itself, like `os_id=debian,cpus>=4` or `not rack:7`
    #[arg(long, value_name = "FACTS")]
    filter: Vec<Filter>,
    /// Only where any of these holds; and all of `--filter`, if there are some
    #[arg(long, value_name = "FACTS")]
    filter_or: Vec<Filter>,
    /// Change nothing: say what the method would do
    #[arg(long)]
    pub(super) check: bool,
    /// Do not ask, however many hosts it may change; asked is only on a terminal
    #[arg(long, short)]
    yes: bool,
}

impl Calling {
    /// The method as it is called: the check of it, if that is all that is wanted.
    pub(super) fn sent(&self) -> MethodName {
        if self.check { self.method.check() } else { self.method.clone() }
    }

    /// Where each host lets it run.
    pub(super) fn filter(&self) -> Option<Filter> {
        Filter::of(&self.filter, &self.filter_or)
    }

    /// Whether somebody on a terminal may be asked if it is meant.
    pub(super) fn may_be_confirmed(&self) -> bool {
        !self.yes && !self.check
    }
}
