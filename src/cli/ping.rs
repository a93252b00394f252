//! `func ping`: who is there.

use clap::Args;
use futures_util::StreamExt as _;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::hints;
use super::outcomes::Outcomes;
use super::report::Report;
use crate::fleet::Target;
use crate::ids::MethodName;

/// Ask minions for a sign of life
#[derive(Debug, Args)]
pub(super) struct Ping {
    /// Whom: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    #[arg(default_value = "*")]
    target: Target,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl Ping {
    /// Asks, and says who answered.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        // Answered by the daemon itself: a minion without any module is there all the same.
        let method: MethodName = "system.ping".parse().or_exit(Exit::Internal)?;
        let hosts: Vec<_> = Context::block_on(async {
            let answers = overlord.call(selection, &method, Vec::new(), self.fleet.call_options())?;
            Ok(answers.collect().await)
        })?;
        if !context.json {
            hints::of_unreachable(&hosts);
        }
        Ok(Box::new(Outcomes { method: method.to_string(), hosts }))
    }
}
