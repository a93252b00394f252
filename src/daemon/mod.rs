//! The overlord as a service: what the commands do, for programs, over HTTP on a Unix socket.
//!
//! ```text
//!                                   ┌─ answers, calls, submission ── Overlord::{send, submit, status, cancel, …}
//! program ── socket ── server ── api┤
//!              │                    └─ events ─── Overlord::{follow, wait}
//!              └ same user or root       attendant ── one task for each open job, to its last result
//! ```
//!
//! *Nothing is known here that the store does not know.* A daemon that is killed loses no job: the next one takes up every
//! job that is open, and a part that was sent is never sent as a new call (see [`overlord`](crate::overlord)).
//!
//! *Commands and daemon work side by side.* Both open the books for each transaction, and a lock for each job says who hands
//! it out, so a command needs no daemon, sees its jobs, and gives the same answers with and without one.
//!
//! *Whoever may read the socket may call the fleet.* So it belongs to the daemon's user, and the kernel must say of each
//! connection that it comes from that user or from root. On TCP, where nothing listens unless it is configured, a certificate
//! of our authority says who it is, and its role what they may ask (see [`caller`]).
//!
//! [`api`] is the list of what can be asked; requests are found by it and the `OpenAPI` document is made of it.

mod answers;
mod api;
mod attendant;
mod caller;
mod calls;
mod error;
mod events;
mod figures;
mod identity;
mod problem;
#[cfg(test)]
mod promises;
mod remote;
mod rpc;
mod scheduler;
mod schedules;
mod secrets;
mod server;
mod socket;
mod submission;

pub use error::Error;
pub use remote::Remote;
pub use socket::Socket;

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{overlord::Overlord, sys::supervisor::Supervisor};
use attendant::Attendant;
use figures::Figures;
use scheduler::Scheduler;

/// The unit with which systemd runs the daemon.
pub const UNIT: &str = include_str!("func-daemon.service");

/// How long what is under way may take to end when the daemon stops. Jobs need no end here: they are taken up again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every request is answered with.
struct Daemon {
    overlord: Overlord,
    attendant: Attendant,
    figures: Figures,
    stopping: CancellationToken,
}

/// Serves until `shutdown`, after it has taken up every open job.
pub async fn run(
    socket: Socket,
    remote: Option<Remote>,
    overlord: Overlord,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let stopping = CancellationToken::new();
    let figures = Figures::new();
    let tasks = TaskTracker::new();
    let attendant = Attendant::new(overlord.clone(), figures.clone(), tasks.clone(), stopping.clone());
    let open = attendant.take_up().await?;
    tracing::info!(jobs = open, socket = %socket.path().display(), "serving");
    Scheduler::new(overlord.clone(), attendant.clone(), tasks.clone(), stopping.clone()).start();
    let daemon = Arc::new(Daemon { overlord: overlord.clone(), attendant, figures, stopping: stopping.clone() });
    let supervisor = Supervisor::from_environment();
    supervisor.ready();
    let shutdown = async {
        shutdown.await;
        supervisor.stopping();
    };
    // A store that somebody else holds, or that is broken, gets no better by another start: a refusal is a sign of life.
    let heart = async || {
        let _ = overlord.knock().await;
        true
    };
    tokio::select! {
        () = server::serve(&socket, remote, daemon, shutdown) => {}
        () = supervisor.keep_alive(heart) => {}
    }
    tracing::info!("stopping");
    tasks.close();
    if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!(jobs = tasks.len(), "what did not end in time is taken up by the next start");
    }
    Ok(())
}
