//! The listener on TCP: the same answers, for holders of certificates of our authority.
//!
//! Strangers get no further than the handshake, and a crowd of them puts out itself (see [`Gate`]). A certificate is held
//! against the revocation list of the moment at each request, and a connection whose certificate is revoked is cut.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Daemon, Error, caller::Caller, identity, server};
use crate::{
    config::Listen,
    overlord::{DaemonSettings, Overlord},
    tls::{Chain, Gate, InForce, Peer},
};

/// A TCP listener with an identity.
#[derive(Debug)]
pub struct Remote {
    listener: TcpListener,
    identity: InForce,
    gate: Gate,
    arrival: Duration,
}

impl Remote {
    /// Listens here, within these bounds, with the identity in this folder, which must be fit for a server, and the
    /// overlord's revocation list.
    pub async fn bind(
        listen: &Listen,
        bounds: &DaemonSettings,
        identity: &Path,
        overlord: &Overlord,
    ) -> Result<Self, Error> {
        let identity = identity::following(identity, overlord.identity_folder()).map_err(Error::Unfit)?;
        let failed = |source| Error::Listen { path: listen.as_str().into(), source };
        let listener = TcpListener::bind(listen.as_str()).await.map_err(failed)?;
        let gate = Gate::new(bounds.connections, bounds.per_caller, bounds.handshake_timeout.duration());
        Ok(Self { listener, identity, gate, arrival: bounds.request_timeout.duration() })
    }

    /// Where it is.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts until it is dropped, which closes the listener and leaves connections that are under way to end by themselves.
    pub(super) async fn serve(self, daemon: Arc<Daemon>, connections: Arc<tokio::sync::Mutex<JoinSet<()>>>) {
        let (this, arrival) = (Arc::new((self.gate, self.identity)), self.arrival);
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) => {
                    let (this, daemon) = (Arc::clone(&this), Arc::clone(&daemon));
                    let mut connections = connections.lock().await;
                    connections.spawn(async move { connection(&this.0, &this.1, stream, from, daemon, arrival).await });
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(server::PAUSE).await;
                }
            }
        }
    }
}

async fn connection(
    gate: &Gate,
    identity: &InForce,
    stream: TcpStream,
    from: SocketAddr,
    daemon: Arc<Daemon>,
    arrival: Duration,
) {
    let (acceptor, authorities) = identity.acceptor();
    let received = gate.receive(acceptor, stream, from, &daemon.stopping).await;
    let Some((stream, _place)) = received else { return };
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = Chain::of_client(shown, &authorities);
    let peer = match Peer::from_certificate(shown.first().map(AsRef::as_ref).unwrap_or_default()) {
        Ok(peer) => peer,
        Err(error) => return tracing::warn!(%from, %error, "a connection was refused"),
    };
    let Some(_member) = gate.join(&peer.name, from) else { return };
    let caller = Caller::Remote { peer: Arc::new(peer), chain, identity: identity.clone() };
    tokio::select! {
        () = server::connection(stream, daemon, caller.clone(), arrival) => {}
        why = caller.is_given_up() => {
            tracing::warn!(%from, caller = caller.who(), %why, "a connection was cut");
        }
    }
}
