//! `func ca serve`: the door for new machines.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::passphrase::PassphraseFile;
use crate::ca::{EnrolmentRules, NameGlob};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::report::{Report, Silent};
use crate::cli::stop::stop_signal;
use crate::config::Listen;
use crate::enrol::{Door, DoorConfig};
use crate::telemetry;

/// Let new machines ask to belong, until SIGTERM or Ctrl-C
///
/// Answers `funcd join` on every new machine: those with a token at once, all others when the operator has signed. Needed
/// only while machines join. Requests are bounded in size, number and pace.
#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    /// Listen here
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:51235")]
    listen: Listen,
    /// Sign whoever is the first to ask for a name that this glob matches; nobody is unless you say so
    #[arg(long, value_name = "NAME-GLOB")]
    auto_sign: Vec<NameGlob>,
    /// Also answer `wait_for_cert`, in plain HTTP, for minions of the original Func: they cannot tell this authority from
    /// another
    #[arg(long)]
    old_minions: bool,
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl Serve {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        telemetry::start(telemetry::Format::Text, "info");
        let authority = self.sealed.authority(context)?;
        let config = DoorConfig {
            rules: EnrolmentRules { auto_sign: self.auto_sign, ..EnrolmentRules::default() },
            old_minions: self.old_minions,
            inventory: Some(context.home.inventory()),
            ..DoorConfig::default()
        };
        let door = Arc::new(Door::new(authority, config).or_exit(Exit::Configuration)?);
        let listen = self.listen.as_str().to_owned();
        Context::block_on(async {
            let listener = TcpListener::bind(&listen).await.map_err(|error| {
                Failure::new(Exit::Configuration, format!("cannot listen on `{listen}`: {error}"))
                    .hint("name a free address of this machine with --listen")
            })?;
            let address = listener.local_addr().or_exit(Exit::Internal)?;
            let stop = stop_signal()?;
            let mut out = io::stdout().lock();
            // Scripts wait for this line; nobody reading it is no reason to stop.
            let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
            drop(out);
            door.serve(listener, stop).await;
            Ok(())
        })?;
        Ok(Box::new(Silent(Exit::Ok)))
    }
}
