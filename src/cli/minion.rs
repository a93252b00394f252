//! `func minion`, which is also `funcd`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, FromArgMatches as _, Subcommand};
use tokio::net::TcpListener;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::join::Join;
use super::report::{Report, Silent};
use super::stop::stop_signal;
use crate::config::Listen;
use crate::minion::{self, DEFAULT_TOML, MinionConfig, UNIT};
use crate::{sys::process, telemetry};

/// Serve calls on this machine until SIGTERM or Ctrl-C
///
/// Prints `listening on ADDRESS` once it serves. The first signal lets calls in flight finish, a
/// second one ends at once; workers of async calls go on either way.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Minion {
    /// Read this configuration instead of the usual one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen here, whatever the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<Listen>,
    /// Print the commented configuration and exit
    #[arg(long)]
    print_config: bool,
    /// Print a unit for systemd and exit
    #[arg(long)]
    print_unit: bool,
    /// Read the configuration and the identity, say whether they can be used, and exit
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    other: Option<Other>,
}

/// What the program does besides serving.
#[derive(Debug, Subcommand)]
enum Other {
    Join(Join),
}

impl Minion {
    /// The command line of `funcd`, which has no subcommands.
    pub(super) fn augment() -> clap::Command {
        Self::augment_args(clap::Command::new("func minion"))
    }

    /// Reads what [`augment`](Self::augment) parsed.
    pub(super) fn from_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches(matches)
    }

    /// Serves until it is told to stop.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if let Some(Other::Join(join)) = self.other {
            return join.run(context);
        }
        if self.print_config || self.print_unit {
            let text = if self.print_config { DEFAULT_TOML } else { UNIT };
            let written = anstream::stdout().lock().write_all(text.as_bytes());
            return written.map(|()| Box::new(Silent(Exit::Ok)) as Box<dyn Report>).or_exit(Exit::Internal);
        }
        let usual = context.home.minion_toml();
        // A file that was named must be there: the defaults listen everywhere.
        let loaded = match &self.config {
            Some(named) => MinionConfig::load(named, &context.home),
            None => MinionConfig::load_or_default(&usual, &context.home),
        };
        let mut config = loaded.or_exit(Exit::Configuration)?;
        if let Some(listen) = self.listen {
            config.listen_on(listen);
        }
        if self.check {
            minion::check(&config).map_err(refused)?.iter().for_each(Context::warn);
            let path = self.config.unwrap_or(usual);
            if path.exists() {
                println!("`{}` can be used", path.display());
            } else {
                println!("there is no `{}`; the defaults are used", path.display());
            }
            return Ok(Box::new(Silent(Exit::Ok)));
        }
        telemetry::start(config.log.format, &config.log.level);
        process::keep_ends_of_children().or_exit(Exit::Internal)?;
        // Before the first thread.
        minion::raise_fences(&config).map_err(refused)?;
        Context::block_on(serve(config))?;
        Ok(Box::new(Silent(Exit::Ok)))
    }
}

async fn serve(config: MinionConfig) -> Result<(), Failure> {
    let listen = config.listen.as_str().to_owned();
    let listener = TcpListener::bind(&listen).await.map_err(|error| {
        Failure::new(Exit::Configuration, format!("cannot listen on `{listen}`: {error}"))
            .hint("name a free address of this machine as `listen` in minion.toml")
    })?;
    let address = listener.local_addr().or_exit(Exit::Internal)?;
    let shutdown = stop_signal()?;
    let announced = async move {
        announce(address);
        shutdown.await;
    };
    minion::run(listener, config, announced).await.map_err(refused)
}

fn refused(error: minion::Error) -> Failure {
    match error {
        minion::Error::Identity(_) | minion::Error::Role { .. } => Failure::new(Exit::Identity, error)
            .hint("run the line of `func ca token` here, or put there the files that `func ca issue NAME --role minion` wrote"),
        error => Failure::new(Exit::Configuration, error),
    }
}

/// Scripts wait for this line; nobody reading it is no reason to stop.
fn announce(address: SocketAddr) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
}
