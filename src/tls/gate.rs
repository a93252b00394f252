//! The way in for connections from the network: who has not shown a certificate waits in the lobby, who has takes a place.
//!
//! ```text
//! accepted ──▶ lobby ──handshake──▶ place ──▶ crowd: so many of each caller
//!                └─ put out by a fuller lobby, or after the time for a handshake
//! ```

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    crowd::{Crowd, Member},
    lobby::Lobby,
};

/// For how long, and for how many pieces, what a refused client still sends is swallowed.
const DRAINING: Duration = Duration::from_secs(1);
const DRAINED: usize = 64;

/// One for all connections of a listener.
#[derive(Debug)]
pub struct Gate {
    lobby: Arc<Lobby>,
    /// For connections that have passed the handshake.
    places: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    handshake: Duration,
}

impl Gate {
    /// So many callers at once and of each, and as long as this for a handshake.
    pub fn new(at_once: usize, per_caller: usize, handshake: Duration) -> Self {
        let places = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { lobby: Lobby::new(at_once), places, crowd: Crowd::new(per_caller), handshake }
    }

    /// The handshake, and then a place among those who may call, all of it within the time for a handshake.
    pub async fn receive(
        &self,
        acceptor: TlsAcceptor,
        stream: TcpStream,
        from: SocketAddr,
        stopping: &CancellationToken,
    ) -> Option<(TlsStream<TcpStream>, OwnedSemaphorePermit)> {
        // Answers are small and wait for nothing that follows.
        let _ = stream.set_nodelay(true);
        let guest = self.lobby.enter(from.ip());
        let received = async {
            let stream = match acceptor.accept(stream).into_fallible().await {
                Ok(stream) => stream,
                Err((error, stream)) => {
                    drain(stream).await;
                    return Err(error);
                }
            };
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((stream, place))
        };
        let why = tokio::select! {
            received = tokio::time::timeout(self.handshake, received) => match received {
                Ok(Ok(received)) => return Some(received),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no TLS handshake in time, or no place".to_owned(),
            },
            () = guest.put_out() => "too many connections without a handshake".to_owned(),
            () = stopping.cancelled() => return None,
        };
        tracing::info!(%from, why, "a connection was refused");
        None
    }

    /// One more of this caller's, unless it has as many as it may, which is logged.
    pub fn join(&self, caller: &str, from: SocketAddr) -> Option<Member> {
        let member = self.crowd.join(caller);
        if member.is_none() {
            let why = "the caller has as many connections as it may";
            tracing::warn!(%from, caller, why, "a connection was refused");
        }
        member
    }
}

/// Swallows what a client has sent already that is refused: closing at once would reset the connection, and the alert that
/// says why would not arrive.
async fn drain(mut stream: TcpStream) {
    let swallowed = async {
        let _ = stream.shutdown().await;
        let mut piece = [0; 1024];
        for _ in 0..DRAINED {
            if !matches!(stream.read(&mut piece).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAINING, swallowed).await;
}
