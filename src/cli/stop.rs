//! Stopping: the first signal asks, the second insists.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

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

/// How a shell tells of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The operator's Ctrl-Cs, one after the other.
///
/// A thread of its own listens, whatever the others are busy with. When nobody waits for the next one any more, and at the
/// third in any case, the process ends on the spot.
pub(super) struct Interrupts(mpsc::UnboundedReceiver<()>);

impl Interrupts {
    /// Those from now on.
    pub(super) async fn listen() -> Result<Self, Failure> {
        let (ready, listening) = oneshot::channel();
        let (tell, told) = mpsc::unbounded_channel();
        let listen = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(insist(ready, tell)),
                Err(error) => drop(ready.send(Err(error))),
            }
        };
        thread::Builder::new().name("interrupt".into()).spawn(listen).or_exit(Exit::Internal)?;
        listening.await.or_exit(Exit::Internal)?.or_exit(Exit::Internal)?;
        Ok(Self(told))
    }

    /// Completes at the next.
    pub(super) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

async fn insist(ready: oneshot::Sender<std::io::Result<()>>, tell: mpsc::UnboundedSender<()>) {
    let mut interrupts = match signal(SignalKind::interrupt()) {
        Ok(interrupts) => interrupts,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok(())));
    for code in [INTERRUPTED, i32::from(Exit::StillRunning as u8)] {
        interrupts.recv().await;
        if tell.send(()).is_err() {
            std::process::exit(code);
        }
    }
    interrupts.recv().await;
    std::process::exit(i32::from(Exit::StillRunning as u8));
}
