//! Mutual TLS, both ways, and what a certificate says about who presents it.
//!
//! A connection exists only between two holders of certificates of one CA: the handshake sees to
//! signatures, validity and revocation, and a stranger gets no further. Who the other side *is*
//! comes from its certificate alone: the common name and the role, which is a URI among the subject's
//! alternative names (`func:role:overlord`).
//!
//! A connection may outlive its certificate, and a resumed session skips the handshake's checks, so
//! [`Peer::check`] is asked again for every request. The one provider of cryptography is ring, chosen
//! here explicitly and never by process-wide default.

mod authorities;
mod config;
mod crowd;
mod der;
#[cfg(test)]
mod drip;
mod error;
mod files;
mod gate;
mod identity;
mod in_force;
mod lobby;
mod look;
mod peer;
mod pem;
mod pinned;
mod revocation;
mod role;
mod succession;
mod trust;
mod voucher;

pub use authorities::{Authorities, Chain};
pub use config::{client_config, server_config, server_config_with};
pub use crowd::Member;
#[cfg(test)]
pub(crate) use drip::{ENDLESS_HANDSHAKE, drip};
pub use error::Error;
pub use files::{IdentityFiles, Stamp};
pub use gate::Gate;
pub use identity::{CA_FILE, CERTIFICATE_FILE, Identity, KEY_FILE, REVOCATIONS_FILE};
pub use in_force::{Change, InForce};
pub use look::Looks;
pub use peer::Peer;
pub use pem::pem;
pub use pinned::{ENROLMENT_NAME, Pin, door_config, pinned_client_config};
pub use revocation::RevocationList;
pub use role::{Role, UnknownRole};
pub use succession::{NEXT_CERTIFICATE_FILE, NEXT_KEY_FILE, Succession, Unfit, finish_installation};
pub use trust::{InvalidTrust, Statement, Trust};
pub use voucher::vouched;
