//! What the daemon shows on the network, and whom it believes there: kept up with the files of its identity while it serves.
//!
//! The certificate is one of a server, and not the overlord's own: that is good for a client alone, so that no overlord can
//! pose as a minion. The revocation list is the overlord's. What cannot be read, or would take back a revocation, changes nothing and is logged.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::{
    telemetry::chain,
    tls::{
        self, Authorities, CA_FILE, CERTIFICATE_FILE, Chain, Identity, KEY_FILE, Peer, REVOCATIONS_FILE, Stamp,
        server_config,
    },
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The identity in force. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    now: watch::Receiver<Arc<Now>>,
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
    fn of(identity: Identity) -> Result<Self, tls::Error> {
        identity.check_as_server(Timestamp::now())?;
        let acceptor = TlsAcceptor::from(server_config(&identity)?);
        Ok(Self { identity, acceptor })
    }

    /// What the files say now, if it may take the place of this.
    fn reread(&self, files: &Files) -> Result<Self, tls::Error> {
        Self::of(self.identity.succeeded_by(read(files)?, &files[3])?)
    }
}

impl InForce {
    /// The identity in this folder, which must be fit for a server, and the revocation list in the overlord's, kept up for as
    /// long as somebody asks.
    pub(super) fn following(folder: &Path, overlord: &Path) -> Result<Self, tls::Error> {
        let own = [CERTIFICATE_FILE, KEY_FILE, CA_FILE].map(|name| folder.join(name));
        let [certificate, key, authority] = own;
        let files = [certificate, key, authority, overlord.join(REVOCATIONS_FILE)];
        let seen = stamp(&files);
        let (sender, now) = watch::channel(Arc::new(Now::of(read(&files)?)?));
        tokio::spawn(follow(files, seen, sender));
        Ok(Self { now })
    }

    /// For the next handshake, and whom it lets in.
    pub(super) fn acceptor(&self) -> (TlsAcceptor, Authorities) {
        let now = self.now.borrow();
        (now.acceptor.clone(), now.identity.authorities().clone())
    }

    /// Whether a peer still is believed.
    pub(super) fn check(&self, peer: &Peer, chain: &Chain) -> Result<(), tls::Error> {
        self.now.borrow().identity.check(peer, chain, Timestamp::now())
    }

    /// Ends when a peer is not believed any more, with why.
    pub(super) async fn gives_up(&self, peer: &Peer, chain: &Chain) -> tls::Error {
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
}

/// Certificate, key, authority, revocation list.
type Files = [PathBuf; 4];

fn read(files: &Files) -> Result<Identity, tls::Error> {
    let [certificate, key, authority, revoked] = files;
    Identity::load(certificate, key, authority)?.with_revocations(revoked)
}

fn stamp(files: &Files) -> Stamp {
    Stamp::of(files.each_ref().map(PathBuf::as_path))
}

async fn follow(files: Files, mut seen: Stamp, sender: watch::Sender<Arc<Now>>) {
    let mut complaint = None;
    while !sender.is_closed() {
        tokio::time::sleep(EVERY).await;
        let stamp = stamp(&files);
        if stamp == seen {
            continue;
        }
        let in_force = Arc::clone(&sender.borrow());
        match in_force.reread(&files) {
            Ok(fresh) => {
                tracing::info!(
                    revoked = fresh.identity.revoked().len(),
                    "read the identity and the revocation list again"
                );
                sender.send_replace(Arc::new(fresh));
                (seen, complaint) = (stamp, None);
            }
            Err(error) => {
                // It is tried again and again, or a revocation would be missed, but said once.
                let this = Some((stamp, chain(&error)));
                if complaint != this {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot use the new identity; the last one stays in force"
                    );
                    complaint = this;
                }
            }
        }
    }
}
