//! Connections of a machine that has no certificate yet, to the door of an authority that it knows by fingerprint at most.
//!
//! The door shows its certificate and the authority's. The authority's must be the pinned one and must have signed the
//! door's, which must bear the door's own name, so that no minion can pose as it; all of that before a byte of the request
//! is sent. Without a fingerprint the first authority that is seen is the pinned one, and people compare later.

use std::sync::{Arc, OnceLock};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
    version::TLS13,
};

use super::{Error, Identity, config::provider};
use crate::ids::Digest;

/// The name in the certificate of every authority's door.
pub const ENROLMENT_NAME: &str = "func-enrolment";

/// The authority that a machine without a certificate believes.
#[derive(Debug, Clone, Default)]
pub struct Pin {
    expected: Option<Digest>,
    seen: Arc<OnceLock<CertificateDer<'static>>>,
}

impl Pin {
    /// Only the authority of this fingerprint.
    pub fn only(authority: Digest) -> Self {
        Self { expected: Some(authority), ..Self::default() }
    }

    /// Whichever is seen first, and from then on only that.
    pub fn first_seen() -> Self {
        Self::default()
    }

    /// The authority's certificate, once a handshake has succeeded, in DER form.
    pub fn authority(&self) -> Option<&[u8]> {
        self.seen.get().map(AsRef::as_ref)
    }
}

/// A client without a certificate, which believes the door of the pinned authority alone.
pub fn pinned_client_config(pin: &Pin) -> Result<Arc<ClientConfig>, Error> {
    let unusable = |source| Error::Unusable { name: ENROLMENT_NAME.to_owned(), source };
    let verifier = PinnedVerifier { pin: pin.clone(), provider: provider() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The door itself: it asks for no certificate, because whoever comes has none.
pub fn door_config(door: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let unusable = |source| Error::Unusable { name: ENROLMENT_NAME.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(door.certified_key()))));
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct PinnedVerifier {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.last().ok_or_else(unknown)?;
        let seen = self.pin.seen.get();
        if self.pin.expected.is_some_and(|expected| expected != Digest::of(authority))
            || seen.is_some_and(|seen| seen != authority)
        {
            return Err(unknown());
        }
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let name = ServerName::try_from(ENROLMENT_NAME).map_err(|_| unknown())?;
        let good = verifier.verify_server_cert(end_entity, &[], &name, ocsp, now)?;
        // Somebody else may have been first meanwhile.
        if self.pin.seen.get_or_init(|| authority.clone().into_owned()) != authority {
            return Err(unknown());
        }
        Ok(good)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
