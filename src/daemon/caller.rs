//! Who asks, and what they may ask.
//!
//! | who | may |
//! | --- | --- |
//! | this user or root, on the socket | everything |
//! | an overlord, a sub-overlord | everything |
//! | a reader | what changes nothing here and calls nobody |
//! | a minion, an author, a certificate without a role | nothing |
//!
//! Calls are made as the daemon's overlord, whoever asks: minions' audit logs name it, for its certificate is all that they
//! can verify. Who has asked, by the peer's uid or its certificate, stands with each job that it makes, and with each call and
//! change in this daemon's log.

use std::sync::Arc;

use hyper::StatusCode;
use nix::unistd::{Uid, User};

use super::problem::Problem;
use crate::tls::{self, Chain, InForce, Peer, Role};

/// Whose connection it is.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// This user or root, on this machine.
    Local { uid: u32 },
    /// The holder of a certificate, held against the lists of the moment.
    Remote { peer: Arc<Peer>, chain: Chain, identity: InForce },
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// It changes nothing and calls nobody.
    Looks,
    /// It calls minions, or changes what this overlord does.
    Acts,
}

impl Caller {
    /// Whether it may do this, now.
    pub(super) fn allow(&self, deed: Deed) -> Result<(), Problem> {
        let Self::Remote { peer, chain, identity } = self else { return Ok(()) };
        let forbidden = |why: String| Err(Problem::new(StatusCode::FORBIDDEN, why));
        if let Err(error) = identity.check(peer, chain) {
            return forbidden(error.to_string());
        }
        match (peer.role, deed) {
            (Some(Role::Overlord | Role::SubOverlord), _) | (Some(Role::Reader), Deed::Looks) => Ok(()),
            (Some(Role::Reader), Deed::Acts) => {
                forbidden(format!("`{}` is a reader, and this changes something", peer.name))
            }
            (Some(role), _) => {
                forbidden(format!("`{}` is issued as {role}; overlords and readers are answered", peer.name))
            }
            (None, _) => forbidden(format!("the certificate of `{}` has no role", peer.name)),
        }
    }

    /// Who it is, for people: in the log, and with the jobs that it makes.
    pub(super) fn who(&self) -> String {
        match self {
            Self::Local { uid } => match User::from_uid(Uid::from_raw(*uid)) {
                Ok(Some(user)) => format!("{} (uid {uid})", user.name),
                _ => format!("uid {uid}"),
            },
            Self::Remote { peer, .. } => {
                let role = peer.role.map_or_else(|| "no role".to_owned(), |role| role.to_string());
                format!("{} ({role} certificate, over TLS)", peer.name)
            }
        }
    }

    /// Ends when it is not believed any more, with why.
    pub(super) async fn is_given_up(&self) -> tls::Error {
        match self {
            Self::Local { .. } => std::future::pending().await,
            Self::Remote { peer, chain, identity } => identity.gives_up(peer, chain).await,
        }
    }
}
