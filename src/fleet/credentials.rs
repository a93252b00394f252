//! Who we are, and whom we do not believe any more: taken anew while calls go on.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::watch;

use super::connection::Shown;
use crate::{
    ids::Digest,
    tls::{self, Identity, client_config},
};

/// What the next connection is made with, and every request is held against.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) tls: Arc<ClientConfig>,
    pub(super) identity: Identity,
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
        let own = fresh.own();
        Ok(self.0.send_replace(fresh).own() != own)
    }

    /// Ends when whoever has shown this is not believed any more, with what is to be said of it.
    pub(super) async fn gives_up(&self, shown: &Shown) -> tls::Error {
        let (mut now, mut why) = (self.0.subscribe(), None);
        let given_up = |now: &Arc<Credentials>| {
            why = now.identity.gives_up(&shown.peer, &shown.chain);
            why.is_some()
        };
        let ended = now.wait_for(given_up).await.is_ok();
        match why {
            Some(why) if ended => why,
            _ => std::future::pending().await,
        }
    }
}

impl Credentials {
    /// Our own certificate.
    pub(super) fn own(&self) -> Digest {
        self.identity.peer().fingerprint
    }

    fn of(identity: &Identity, sessions: usize) -> Result<Arc<Self>, tls::Error> {
        Ok(Arc::new(Self { tls: client_config(identity, sessions)?, identity: identity.clone() }))
    }
}
