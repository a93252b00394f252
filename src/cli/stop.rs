//! Stopping a daemon: the first signal asks, the second insists.

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use super::failure::{Failure, OrExit};

/// Completes at the first SIGTERM or SIGINT; at the second the process ends on the spot. Signals count
/// from the moment of this call, not from the first poll.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut terminate = signal(SignalKind::terminate()).or_exit(Exit::Internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).or_exit(Exit::Internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(i32::from(Exit::Internal as u8));
        });
    })
}
