//! How a fleet is reached: the options that `call`, `ping` and `doc` share.

use std::ops::Deref;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use crate::config::Period;
use crate::fleet::{Rollout, Selection, Selector, Target};
use crate::overlord::{CallOptions, Overlord, OverlordConfig};

/// Which hosts, and how many at a time.
#[derive(Debug, Clone, Args)]
pub(super) struct FleetOptions {
    /// Leave these out, written like the target
    #[arg(long, value_name = "TARGET")]
    exclude: Option<Target>,
    /// Try a plain name that the inventory does not have, on the usual port
    #[arg(long)]
    allow_unknown: bool,
    /// Have at most so many calls under way at a time
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) forks: u32,
    /// Give each host so long to answer, with `--async` to accept the job
    #[arg(long, value_name = "PERIOD", default_value = "60s")]
    timeout: Period,
}

impl FleetOptions {
    /// The hosts that `target` means.
    pub(super) fn select(&self, overlord: &Overlord, target: &Target) -> Result<Selection, Failure> {
        let (exclude, allow_unknown) = (self.exclude.clone(), self.allow_unknown);
        let selection = overlord.select(&Selector { exclude, allow_unknown, ..Selector::new(target.clone()) })?;
        warn_of_choice(&selection);
        Ok(selection)
    }

    /// Whom to leave out.
    pub(super) fn exclude(&self) -> Option<&Target> {
        self.exclude.as_ref()
    }

    /// Whether a plain name is tried that the inventory does not have.
    pub(super) fn allow_unknown(&self) -> bool {
        self.allow_unknown
    }

    /// The bounds on the call.
    pub(super) fn call_options(&self) -> CallOptions {
        self.call_options_after(Duration::ZERO)
    }

    /// The bounds on a call before which something else was asked: the operator's patience is for both.
    pub(super) fn call_options_after(&self, spent: Duration) -> CallOptions {
        CallOptions { forks: self.forks as usize, timeout: Some(self.left_after(spent)), rollout: Rollout::default() }
    }

    /// What is left of a host's time.
    pub(super) fn left_after(&self, spent: Duration) -> Duration {
        self.timeout.duration().saturating_sub(spent)
    }
}

/// Tells what is likely not as it was meant.
pub(super) fn warn_of_choice(selection: &Selection) {
    selection.warnings(Timestamp::now()).into_iter().for_each(Context::warn);
}

/// This machine as an overlord.
pub(super) fn overlord(context: &Context) -> Result<WarningOverlord, Failure> {
    Ok(WarningOverlord(Overlord::open(OverlordConfig::at(&context.home))?))
}

/// An overlord that tells at the end of the command, also of one that failed, which damaged stores it met: a job that
/// is suddenly unknown has its reason there.
#[derive(Debug)]
pub(super) struct WarningOverlord(Overlord);

impl Deref for WarningOverlord {
    type Target = Overlord;

    fn deref(&self) -> &Overlord {
        &self.0
    }
}

impl Drop for WarningOverlord {
    fn drop(&mut self) {
        self.0.take_set_aside().iter().for_each(Context::warn);
    }
}

/// The target that means everybody.
pub(super) fn everybody() -> Result<Target, Failure> {
    "*".parse().or_exit(Exit::Internal)
}
