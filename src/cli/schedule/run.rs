//! `func schedule run`: once, now.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::fleet_options::overlord;
use crate::cli::handing_out::{attended, hand_out_and_wait};
use crate::cli::progress::Progress;
use crate::cli::report::Report;
use crate::cli::shape::Shape;
use crate::cli::stop::Interrupts;
use crate::ids::ScheduleName;

/// Run a schedule once, now, and wait for it; no daemon is needed
///
/// A paused schedule runs too. Its next run by the timetable stays where it is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// The schedule
    name: ScheduleName,
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        Context::block_on(async {
            let interrupts = Interrupts::listen().await?;
            let fan_out = overlord.run_schedule(&self.name).await?;
            let id = fan_out.id().clone();
            Context::say(format!("job {id}"));
            let progress = Progress::of_hosts(context, &Shape::Folded, overlord.status(&id).await?.hosts.into_keys());
            attended(interrupts, &overlord, &id, &progress, hand_out_and_wait(&overlord, fan_out, &progress)).await
        })
    }
}
