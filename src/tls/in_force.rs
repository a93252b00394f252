//! The identity with which something serves, and whom it believes: at every moment, taken anew while it serves.
//!
//! ```text
//! cert.pem, key.pem, ca.pem ──changed──▶ same name, fit, no older statement ──▶ shown from the next handshake on
//! crl.pem ──────────────────changed──▶ not older ──────────────────────────▶ enforced from the next request on, and on what is open
//!                                          └── otherwise the last good one stays, and the other is taken all the same
//! ```
//!
//! A peer whose certificate is revoked, or whose authority is given up, loses the connections that it has open.
//!
//! *What cannot be used changes nothing*, and is looked at again until it can, whether or not the files change once more (see
//! [`Looks`]).
//!
//! *One change at a time.* Whoever changes the files itself holds [`Change`] meanwhile.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio_rustls::TlsAcceptor;

use super::{
    Authorities, Chain, Error, Identity, IdentityFiles, Looks, Peer, Succession, Unfit, config::server_config,
};
use crate::telemetry::chain;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The identity in force. Clones are the same.
#[derive(Debug, Clone)]
pub struct InForce {
    now: watch::Receiver<Arc<Now>>,
    /// Where it lies; nothing where it does not change.
    kept: Option<Arc<Kept>>,
}

/// The right to change what is in force, for one at a time.
#[derive(Debug)]
pub struct Change<'a> {
    kept: &'a Kept,
    _turn: MutexGuard<'a, ()>,
}

#[derive(Debug)]
struct Kept {
    files: IdentityFiles,
    fit: fn(&Identity) -> Result<(), Unfit>,
    sender: watch::Sender<Arc<Now>>,
    turn: Mutex<()>,
}

struct Now {
    identity: Identity,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Now").field("peer", self.identity.peer()).finish_non_exhaustive()
    }
}

impl Now {
    fn of(identity: Identity) -> Result<Arc<Self>, Error> {
        let acceptor = TlsAcceptor::from(server_config(&identity)?);
        Ok(Arc::new(Self { identity, acceptor }))
    }
}

impl InForce {
    /// This one, for good.
    pub fn fixed(identity: &Identity) -> Result<Self, Error> {
        Ok(Self { now: watch::channel(Now::of(identity.clone())?).1, kept: None })
    }

    /// This one, kept up with its files for as long as somebody asks. Others must be `fit`, too.
    pub fn following(
        identity: Identity,
        files: IdentityFiles,
        fit: fn(&Identity) -> Result<(), Unfit>,
    ) -> Result<Self, Error> {
        let (sender, now) = watch::channel(Now::of(identity)?);
        let kept = Arc::new(Kept { files, fit, sender, turn: Mutex::default() });
        tokio::spawn(follow(Arc::downgrade(&kept)));
        Ok(Self { now, kept: Some(kept) })
    }

    /// Who we are at present, and whom we believe.
    pub fn identity(&self) -> Identity {
        self.now.borrow().identity.clone()
    }

    /// For the next handshake, and whom it lets in.
    pub fn acceptor(&self) -> (TlsAcceptor, Authorities) {
        let now = self.now.borrow();
        (now.acceptor.clone(), now.identity.authorities().clone())
    }

    /// The numbers of our lists; nothing where nobody can bring a newer one.
    pub fn numbers(&self) -> Option<String> {
        self.kept.as_ref().map(|_| self.now.borrow().identity.revoked().numbers())
    }

    /// The number of the statement by which we believe our authorities, likewise.
    pub fn trust_number(&self) -> Option<u64> {
        self.kept.as_ref().map(|_| self.now.borrow().identity.trust_number())
    }

    /// Whether a peer still is believed.
    pub fn check(&self, peer: &Peer, chain: &Chain) -> Result<(), Error> {
        self.now.borrow().identity.check(peer, chain, Timestamp::now())
    }

    /// Ends when a peer is not believed any more, with why.
    pub async fn gives_up(&self, peer: &Peer, chain: &Chain) -> Error {
        let (mut now, mut why) = (self.now.clone(), None);
        let given_up = |now: &Arc<Now>| {
            why = now.identity.gives_up(peer, chain);
            why.is_some()
        };
        let ended = now.wait_for(given_up).await.is_ok();
        match why {
            Some(why) if ended => why,
            _ => std::future::pending().await,
        }
    }

    /// Waits for the right to change it; nothing where it does not change.
    pub async fn change(&self) -> Option<Change<'_>> {
        let kept = self.kept.as_deref()?;
        Some(Change { kept, _turn: kept.turn.lock().await })
    }
}

impl Change<'_> {
    /// Who we are at present.
    pub fn identity(&self) -> Identity {
        self.kept.sender.borrow().identity.clone()
    }

    /// Where it lies.
    pub fn files(&self) -> &IdentityFiles {
        &self.kept.files
    }

    /// Goes on as this one.
    pub fn replace(&self, identity: Identity) -> Result<(), Error> {
        self.kept.sender.send_replace(Now::of(identity)?);
        Ok(())
    }
}

async fn follow(kept: Weak<Kept>) {
    // Not what they are like now: they may have changed since the identity was read.
    let mut looks = Looks::default();
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(kept) = kept.upgrade() else { return };
        let _turn = kept.turn.lock().await;
        let stamp = kept.files.stamp();
        if !looks.want(&stamp) {
            continue;
        }
        let in_force = kept.sender.borrow().identity.clone();
        let Succession { identity, changed, mut wrong } = in_force.reread(&kept.files, kept.fit);
        if changed {
            match Now::of(identity) {
                Ok(now) => {
                    let revoked = now.identity.revoked().len();
                    tracing::info!(revoked, "read the identity and the revocation list again");
                    kept.sender.send_replace(now);
                }
                Err(error) => wrong = Some(chain(&error)),
            }
        }
        if let Some(why) = looks.note(stamp, wrong) {
            tracing::error!(why, "cannot use the new revocation list or identity; the last one stays in force");
        }
    }
}
