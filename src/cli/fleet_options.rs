//! How a fleet is reached: the options that `call`, `ping` and `doc` share.

use std::ops::Deref;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::job_list::age;
use super::render;
use crate::config::Period;
use crate::fleet::{Rollout, Selection, Selector, SourceStanding, Target};
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

/// What is known of hosts is older than this only with a word about it.
const OLD: Duration = Duration::from_hours(24);

/// Hosts that are left out because nothing is known of them are told of, and so is what was known long ago, or is still taken
/// for so because whoever knows better fails.
pub(super) fn warn_of_choice(selection: &Selection) {
    if !selection.unsure.is_empty() {
        let hosts = render::compress(&selection.unsure);
        Context::warn(format!(
            "left out, because their facts are not known here: {hosts}; ask with `func facts refresh`"
        ));
    }
    if !selection.unmapped.is_empty() {
        let hosts = render::compress(&selection.unmapped);
        Context::warn(format!("who is behind these is not known, and not counted: {hosts}; ask with `func map build`"));
    }
    let now = Timestamp::now();
    selection.stale.iter().filter_map(|standing| complaint(standing, now)).for_each(Context::warn);
    if let Some(since) = selection.known_since
        && u64::try_from(now.as_second() - since.as_second()).is_ok_and(|age| age > OLD.as_secs())
    {
        Context::warn(format!("some facts are {} old; ask again with `func facts refresh`", age(since, now)));
    }
}

/// What is wrong with a source of groups, and how old what is used of it is.
pub(super) fn complaint(standing: &SourceStanding, now: Timestamp) -> Option<String> {
    let (failed, why) = standing.failed.as_ref()?;
    let (name, failed) = (&standing.name, age(*failed, now));
    Some(match standing.at {
        Some(at) => format!("the groups of `{name}` are {} old; asked {failed} ago, it failed: {why}", age(at, now)),
        None => format!("the source `{name}` has told of no groups yet; asked {failed} ago, it failed: {why}"),
    })
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
