//! Stopping: the first signal asks, the second insists.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

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

/// What completes at the first Ctrl-C from now on. At the second, or when nobody waits for the first any more, the process
/// ends on the spot: a thread of its own sees to it, whatever the others are busy with.
pub(super) async fn interrupt() -> Result<impl Future<Output = ()>, Failure> {
    let (ready, listening) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(insist(ready, tell)),
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    thread::Builder::new().name("interrupt".into()).spawn(listen).or_exit(Exit::Internal)?;
    listening.await.or_exit(Exit::Internal)?.or_exit(Exit::Internal)?;
    Ok(async move {
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

async fn insist(ready: oneshot::Sender<std::io::Result<()>>, tell: oneshot::Sender<()>) {
    let mut interrupts = match signal(SignalKind::interrupt()) {
        Ok(interrupts) => interrupts,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok(())));
    interrupts.recv().await;
    if tell.send(()).is_err() {
        std::process::exit(INTERRUPTED);
    }
    interrupts.recv().await;
    std::process::exit(i32::from(Exit::StillRunning as u8));
}
