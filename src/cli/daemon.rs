//! `func daemon`: the overlord as a service.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::report::{Report, Silent};
use super::stop::stop_signal;
use crate::daemon::{self, Error, Remote, Socket};
use crate::overlord::{Overlord, OverlordConfig, Settings};
use crate::telemetry::{self, Format};

/// Serve this overlord to programs until SIGTERM or Ctrl-C
///
/// Goes on with every open job, and answers HTTP and XML-RPC on a Unix socket, to this user and root. Prints `listening on
/// SOCKET` once it serves. Commands work beside it as they do without it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  func daemon\n  curl --unix-socket ~/.local/state/func/overlord.sock \
                        http://func/openapi.json\n  curl --unix-socket SOCKET http://func/v1/calls -d \
                        '{\"target\": \"*\", \"method\": \"test.add\", \"args\": [1, 2]}'")]
pub(super) struct Daemon {
    /// Listen on this Unix socket [default: overlord.sock in the state folder]
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Write the log as JSON lines
    #[arg(long)]
    log_json: bool,
    /// Print a unit for systemd and exit
    #[arg(long)]
    print_unit: bool,
}

impl Daemon {
    /// Serves until it is told to stop.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        if self.print_unit {
            let written = anstream::stdout().lock().write_all(daemon::UNIT.as_bytes());
            return written.map(|()| Box::new(Silent(Exit::Ok)) as Box<dyn Report>).or_exit(Exit::Internal);
        }
        telemetry::start(if self.log_json { Format::Json } else { Format::Text }, "info");
        let path = self.socket.unwrap_or_else(|| context.home.overlord_socket());
        Context::block_on(async {
            let overlord = Overlord::open(OverlordConfig::at(&context.home))?;
            // Without an identity nobody could be called; better said now than at the first call.
            overlord.fleet()?;
            let socket = Socket::bind(&path).map_err(|error| {
                Failure::new(Exit::Configuration, error)
                    .hint("stop the other one, or name another socket with --socket")
            })?;
            let settings = Settings::load(&context.home.overlord_toml()).or_exit(Exit::Configuration)?.daemon;
            let remote = match &settings.listen {
                Some(listen) => {
                    let identity = context.home.daemon_identity();
                    Some(Remote::bind(listen, &settings, &identity, &overlord).await.map_err(refused)?)
                }
                None => None,
            };
            let also = remote.as_ref().and_then(|remote| remote.address().ok());
            let shutdown = stop_signal()?;
            let announced = async {
                announce(path.display());
                if let Some(address) = also {
                    announce(address);
                }
                shutdown.await;
            };
            daemon::run(socket, remote, overlord, announced).await.or_exit(Exit::Configuration)
        })?;
        Ok(Box::new(Silent(Exit::Ok)))
    }
}

fn refused(error: Error) -> Failure {
    match error {
        Error::Unfit(_) => Failure::new(Exit::Identity, error).hint(
            "make one with `func ca issue NAME --role minion --out FOLDER`, where FOLDER is daemon-identity in the state folder",
        ),
        error => Failure::new(Exit::Configuration, error).hint("see `listen` below `[daemon]` in overlord.toml"),
    }
}

/// Scripts wait for this line; nobody reading it is no reason to stop.
fn announce(place: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on {place}").and_then(|()| out.flush());
}
