//! Who we are, and whom we do not believe any more: taken anew while calls go on.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::watch;

use crate::{
    ids::Digest,
    tls::{self, Identity, Peer, RevocationList, client_config},
};

/// What the next connection is made with, and every request is held against.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) tls: Arc<ClientConfig>,
    pub(super) revoked: Arc<RevocationList>,
    /// Our own certificate.
    own: Digest,
}

/// The credentials in force.
#[derive(Debug)]
pub(super) struct InForce(watch::Sender<Arc<Credentials>>);

impl InForce {
    pub(super) fn new(identity: &Identity, sessions: usize) -> Result<Self, tls::Error> {
        Ok(Self(watch::Sender::new(Credentials::of(identity, sessions)?)))
    }

    pub(super) fn now(&self) -> Arc<Credentials> {
        Arc::clone(&self.0.borrow())
    }

    /// Goes on as another identity. Answers whether we show another certificate from now on.
    pub(super) fn replace(&self, identity: &Identity, sessions: usize) -> Result<bool, tls::Error> {
        let fresh = Credentials::of(identity, sessions)?;
        let own = fresh.own;
        Ok(self.0.send_replace(fresh).own != own)
    }

    /// Ends when `peer` is revoked, with what is to be said of it.
    pub(super) async fn revokes(&self, peer: &Peer) -> tls::Error {
        let mut now = self.0.subscribe();
        if now.wait_for(|now| now.revoked.contains(&peer.serial)).await.is_err() {
            std::future::pending::<()>().await;
        }
        tls::Error::Revoked { name: peer.name.clone(), serial: peer.serial.clone() }
    }
}

impl Credentials {
    fn of(identity: &Identity, sessions: usize) -> Result<Arc<Self>, tls::Error> {
        let revoked = Arc::clone(identity.revoked());
        Ok(Arc::new(Self { tls: client_config(identity, sessions)?, revoked, own: identity.peer().fingerprint }))
    }
}
