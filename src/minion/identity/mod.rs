//! Who this minion is and whom it believes, at every moment: taken anew while it serves.
//!
//! ```text
//! cert.pem, key.pem, ca.pem, crl.pem ──changed──▶ read, checked ──▶ shown and enforced from the next handshake and request on
//! identity.crl ──signed by our CA, not older──▶ crl.pem ─────────┘  └── broken, or older ──▶ the last good ones stay
//! identity.trust ──vouched for by the newest authority, newer──▶ ca.pem, crl.pem of the authorities that stay
//! identity.csr ──▶ next-key.pem           a new key, which never leaves this machine
//! identity.install ──▶ next-cert.pem      decided: from here on a crash ends with the new identity
//!                  ──▶ key.pem, cert.pem  by two renames, finished at the next start if need be
//! ```
//!
//! A caller whose certificate is revoked, or whose authority is given up, loses the connections that it has open, with
//! whatever it waits for on them.

mod follow;
mod kept;

#[cfg(test)]
mod tests;

use std::{io, path::Path, sync::Arc};

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio_rustls::TlsAcceptor;

use super::{IdentityFiles, builtin::Builtin, caller::Caller};
use crate::{
    tls::{self, Authorities, Identity, Role, server_config},
    wire::{RemoteError, Value},
};

/// The identity in force. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct IdentityInForce {
    now: watch::Receiver<Arc<Now>>,
    /// Where it lies; nothing where it does not change.
    kept: Option<Arc<Kept>>,
}

#[derive(Debug)]
struct Kept {
    files: IdentityFiles,
    sender: watch::Sender<Arc<Now>>,
    /// One change at a time.
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
    fn of(identity: Identity) -> Result<Arc<Self>, tls::Error> {
        let acceptor = TlsAcceptor::from(server_config(&identity)?);
        Ok(Arc::new(Self { identity, acceptor }))
    }
}

impl IdentityInForce {
    /// This one, for good.
    pub(super) fn fixed(identity: &Identity) -> Result<Self, tls::Error> {
        Ok(Self { now: watch::channel(Now::of(identity.clone())?).1, kept: None })
    }

    /// This one, kept up with its files for as long as somebody asks.
    pub(super) fn following(identity: Identity, files: &IdentityFiles) -> Result<Self, tls::Error> {
        let (sender, now) = watch::channel(Now::of(identity)?);
        let kept = Arc::new(Kept { files: files.clone(), sender, turn: Mutex::default() });
        tokio::spawn(follow::follow(Arc::downgrade(&kept), files.clone()));
        Ok(Self { now, kept: Some(kept) })
    }

    /// Who this minion is at present.
    pub(super) fn identity(&self) -> Identity {
        self.now.borrow().identity.clone()
    }

    /// For the next handshake, and whom it lets in.
    pub(super) fn acceptor(&self) -> (TlsAcceptor, Authorities) {
        let now = self.now.borrow();
        (now.acceptor.clone(), now.identity.authorities().clone())
    }

    /// What the header of every answer says of our lists; nothing where nobody can bring a newer one.
    pub(super) fn numbers(&self) -> Option<String> {
        self.kept.as_ref().map(|_| self.now.borrow().identity.revoked().numbers())
    }

    /// The number of the statement by which we believe our authorities, likewise.
    pub(super) fn trust_number(&self) -> Option<u64> {
        self.kept.as_ref().map(|_| self.now.borrow().identity.trust_number())
    }

    /// Whether the caller still is believed.
    pub(super) fn check(&self, caller: &Caller) -> Result<(), tls::Error> {
        self.now.borrow().identity.check(&caller.peer, &caller.chain, Timestamp::now())
    }

    /// Ends when the caller is not believed any more, with why.
    pub(super) async fn gives_up(&self, caller: &Caller) -> tls::Error {
        let (mut now, mut why) = (self.now.clone(), None);
        let given_up = |now: &Arc<Now>| {
            why = now.identity.gives_up(&caller.peer, &caller.chain);
            why.is_some()
        };
        let ended = now.wait_for(given_up).await.is_ok();
        match why {
            Some(why) if ended => why,
            _ => std::future::pending().await,
        }
    }

    /// Answers a built-in method.
    pub(super) async fn answer(
        &self,
        caller: Option<Role>,
        builtin: &'static Builtin,
        params: Vec<Value>,
    ) -> Result<Value, RemoteError> {
        let Some(kept) = &self.kept else {
            return Err(RemoteError::new("NotCallable", "a simulated minion keeps its identity"));
        };
        // What is signed needs no trust in whoever brings it.
        if !matches!(builtin.name, "identity.crl" | "identity.trust") && caller != Some(Role::Overlord) {
            return Err(refused("only an overlord renews identities"));
        }
        let _turn = kept.turn.lock().await;
        match builtin.name {
            "identity.crl" => {
                let [text] = builtin.args(params)?;
                kept.take_list(builtin.text(0, text)?.as_bytes())
            }
            "identity.trust" => {
                let [text] = builtin.args(params)?;
                kept.take_trust(builtin.text(0, text)?.as_bytes())
            }
            "identity.csr" => {
                let [] = builtin.args(params)?;
                kept.request().map(Value::from)
            }
            _ => {
                let [text] = builtin.args(params)?;
                kept.install(&builtin.text(0, text)?)
            }
        }
    }
}

/// Ends what an installation that broke off had decided: a certificate lies ready, and its key beside it or in its place.
pub(super) fn finish(files: &IdentityFiles) -> io::Result<()> {
    tls::finish_installation(&files.certificate, &files.key)
}

fn refused(why: impl Into<String>) -> RemoteError {
    RemoteError::new("Refused", why.into())
}

fn internal(path: &Path, error: &dyn std::error::Error) -> RemoteError {
    RemoteError::new("Internal", format!("`{}`: {error}", path.display()))
}
