//! `func job retry`: another try on hosts on which a job did not end well.

use clap::Args;

use super::confirm::confirm;
use super::context::Context;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::handing_out::{attended, hand_out_and_wait};
use super::progress::Progress;
use super::report::Report;
use super::rollout_options::RolloutOptions;
use super::secrets::Given;
use super::shape::Shape;
use super::stop::Interrupts;
use crate::fleet::Outcome;
use crate::ids::OverlordJobId;
use crate::overlord::CallOptions;

/// Make a new job of an old one's call, on those of its hosts that ended as you say
///
/// It is a new call: where the old one has run, or may have, it runs again. To go on with a job that was interrupted,
/// without running anything twice, use `func job resume`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  func job retry ID --failed --unreachable")]
pub(super) struct Retry {
    /// The job, as `func job list` names it
    id: OverlordJobId,
    #[command(flatten)]
    which: Which,
    /// A secret of its call, which is not kept: `@secret:FILE`, `@secret:-` or `@secret:?`; again for each, in their order
    #[arg(long = "secret", value_name = "SECRET")]
    secrets: Vec<String>,
    #[command(flatten)]
    rollout: RolloutOptions,
    /// Do not ask, however many hosts it may change; asked is only on a terminal
    #[arg(long, short)]
    yes: bool,
}

/// How hosts ended that are to be tried again.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Which {
    /// Hosts whose method failed
    #[arg(long)]
    failed: bool,
    /// Hosts that could not be reached
    #[arg(long)]
    unreachable: bool,
    /// Hosts that would not take the call
    #[arg(long)]
    refused: bool,
    /// Hosts without a result in time
    #[arg(long)]
    timed_out: bool,
    /// Hosts of which nobody knows
    #[arg(long)]
    lost: bool,
    /// Hosts whose call was cancelled
    #[arg(long)]
    cancelled: bool,
    /// Hosts that were not asked
    #[arg(long)]
    skipped: bool,
}

impl Which {
    fn means(self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Ok(_) => false,
            Outcome::Failed(_) => self.failed,
            Outcome::Unreachable { .. } => self.unreachable,
            Outcome::Refused { .. } => self.refused,
            Outcome::TimedOut { .. } => self.timed_out,
            Outcome::Lost { .. } => self.lost,
            Outcome::Cancelled => self.cancelled,
            Outcome::Skipped(_) => self.skipped,
        }
    }
}

impl Retry {
    /// Submits the new job, hands it out and waits for it.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let secrets = Given::gather(&self.secrets)?.of_words(&self.secrets)?;
        Context::block_on(async {
            let rollout = |hosts| self.rollout.for_hosts(hosts);
            let again = |outcome: &Outcome| self.which.means(outcome);
            if !self.yes {
                let (selection, method) = overlord.to_retry(&self.id, again).await?;
                confirm(context, &overlord, &selection, &method, CallOptions::default()).await?;
            }
            let interrupts = Interrupts::listen().await?;
            let fan_out = overlord.retry(&self.id, again, rollout, &secrets).await?;
            let id = fan_out.id().clone();
            Context::say(format!("job {id}"));
            let progress = Progress::of_hosts(context, &Shape::Folded, overlord.status(&id).await?.hosts.into_keys());
            attended(interrupts, &overlord, &id, &progress, hand_out_and_wait(&overlord, fan_out, &progress)).await
        })
    }
}
