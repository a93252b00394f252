//! `func sim`: many simulated minions in one process.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::report::{Report, Silent};
use super::stop::stop_signal;
use crate::config::Home;
use crate::minion::sim::{self, SimConfig, SimPlugins};
use crate::telemetry;

/// Simulate N minions in one process, for tests and measurements
///
/// Makes an authority, an overlord's identity and an inventory in a folder of their own, listens on
/// one address, and lets the name that a client asks for choose the simulated host. Serves `test` and
/// the built-in methods until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Sim {
    /// How many minions
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    minions: u32,
    /// The folder for the authority, the identity and the inventory; use it as `FUNC_HOME`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Listen here
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Serve the plugins of this folder, without grants, in place of the native `test`
    #[arg(long, value_name = "DIR")]
    modules: Option<PathBuf>,
}

impl Sim {
    /// Serves until it is told to stop.
    pub(super) fn run(self, _: &Context) -> Result<Box<dyn Report>, Failure> {
        // What was raised to serve so many is said, too.
        telemetry::start(telemetry::Format::Text, "warn,func::minion::server=info");
        Context::block_on(async {
            let listener = TcpListener::bind(&self.listen).await.map_err(|error| {
                Failure::new(Exit::Configuration, format!("cannot listen on `{}`: {error}", self.listen))
            })?;
            let address = listener.local_addr().or_exit(Exit::Internal)?;
            let stop = stop_signal()?;
            let config = SimConfig { minions: self.minions, home: Home::at(&self.dir) };
            let mut fleet = sim::prepare(&config, address).or_exit(Exit::Configuration)?;
            let cache = self.dir.join("cache");
            fleet.plugins = self.modules.map(|folder| SimPlugins { folder, cache });
            let mut out = io::stdout().lock();
            let _ = writeln!(
                out,
                "{} minions listening on {address}; try: FUNC_HOME={} func ping '*'",
                self.minions,
                self.dir.display()
            )
            .and_then(|()| out.flush());
            drop(out);
            sim::serve(listener, fleet, stop).await.or_exit(Exit::Internal)
        })?;
        Ok(Box::new(Silent(Exit::Ok)))
    }
}
