//! The accept loop, and stopping without cutting anybody off.
//!
//! When the signal comes the listener is closed, idle connections are closed at once, and those with
//! a request under way after its answer, which says `Connection: close`. What has not ended after the
//! time that a plain call may take is cut.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::TaskTracker;

use super::{backend::Backend, connection::Door};
use crate::sys::descriptor;

/// The pause after a failed `accept`, which mostly means that descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// How many files a process may usually open.
const USUAL_FILES: u64 = 1024;

/// Makes room for connections, workers' pipes and journals: the usual 1,024 descriptors are soon used
/// up. The jobs that wait are opened at the start, so this comes before everything else. Says what was raised, and returns how
/// many there may be.
pub(super) fn make_room_for_files() -> u64 {
    match descriptor::raise_open_files_limit() {
        Ok((was, files)) => {
            if was < files {
                tracing::info!(was, files, "raised the limit of open files");
            }
            files
        }
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            USUAL_FILES
        }
    }
}

/// Serves until `shutdown`, then lets what is under way end, for `patience` at most.
pub(super) async fn serve<B: Backend>(
    listener: TcpListener,
    door: Door<B>,
    calls: &TaskTracker,
    patience: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let stopping = door.stopping.clone();
    let door = Arc::new(door);
    let mut connections = JoinSet::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    connections.spawn(Arc::clone(&door).serve(stream, from));
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        never = accept => never,
        () = shutdown => {}
    }
    drop(listener);
    stopping.cancel();
    calls.close();
    tracing::info!(connections = connections.len(), calls = calls.len(), "stopping");
    let ended = async {
        while connections.join_next().await.is_some() {}
        calls.wait().await;
    };
    if tokio::time::timeout(patience, ended).await.is_err() {
        tracing::warn!(calls = calls.len(), "cut off what did not end in time");
        connections.abort_all();
    }
}
