//! The authorities that an identity believes, and whether they still vouch for what a peer has shown.
//!
//! A connection may be older than the authorities in force: what was shown on it is then held against those of now. Nothing
//! that the certificate says of its issuer is asked, for a stolen key writes there what it likes; the signatures are.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, TrustAnchor, UnixTime},
    server::{ParsedCertificate, WebPkiClientVerifier},
};

use super::{Error, config::provider, der::public_key};

/// Some authorities, the newest last. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.roots == other.0.roots
    }
}

impl Authorities {
    pub(super) fn new(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| Error::Verifier { why: error.to_string() })?;
        }
        Ok(Self(Arc::new(roots)))
    }

    /// As rustls takes them.
    pub(super) fn roots(&self) -> &Arc<RootCertStore> {
        &self.0
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.roots
    }

    /// Whether the newest of them has signed a message.
    pub(super) fn newest_has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(key) = self.anchors().last().and_then(public_key) else { return false };
        // A key fits the algorithms of its own kind alone.
        let algorithms = provider().signature_verification_algorithms.all;
        algorithms.iter().any(|algorithm| algorithm.verify_signature(&key, message, signature).is_ok())
    }
}

/// Which side of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// The certificates that a peer has shown, and who vouched for them then.
#[derive(Debug, Clone)]
pub struct Chain {
    side: Side,
    certificates: Arc<[CertificateDer<'static>]>,
    vouched: Authorities,
}

impl Chain {
    /// Of a client whose handshake `authorities` let through.
    pub fn of_client(certificates: &[CertificateDer<'_>], authorities: &Authorities) -> Self {
        Self::of(Side::Client, certificates, authorities)
    }

    /// Of a server, likewise.
    pub fn of_server(certificates: &[CertificateDer<'_>], authorities: &Authorities) -> Self {
        Self::of(Side::Server, certificates, authorities)
    }

    fn of(side: Side, certificates: &[CertificateDer<'_>], authorities: &Authorities) -> Self {
        let certificates = certificates.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Self { side, certificates, vouched: authorities.clone() }
    }

    /// Whether these authorities vouch for it at this time.
    pub fn is_vouched_by(&self, authorities: &Authorities, now: Timestamp) -> bool {
        *authorities == self.vouched || self.verify(authorities, now).is_ok()
    }

    fn verify(&self, authorities: &Authorities, now: Timestamp) -> Result<(), rustls::Error> {
        let Some((certificate, others)) = self.certificates.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let now = unix(now);
        match self.side {
            Side::Client => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.0), provider())
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                verifier.verify_client_cert(certificate, others, now).map(drop)
            }
            Side::Server => {
                let algorithms = provider().signature_verification_algorithms.all;
                let certificate = ParsedCertificate::try_from(certificate)?;
                verify_server_cert_signed_by_trust_anchor(&certificate, &authorities.0, others, now, algorithms)
            }
        }
    }
}

/// As rustls takes it.
pub(super) fn unix(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_second().try_into().unwrap_or_default()))
}
