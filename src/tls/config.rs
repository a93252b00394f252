//! rustls, configured once for both directions.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, WebPkiServerVerifier},
    crypto::{CryptoProvider, ring},
    server::{ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};

use super::{Error, Identity, RevocationList};

/// TLS 1.2 stays for old stock clients.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A server that shows `identity` and lets in only holders of certificates of its CA.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let resolver = SingleCertAndKey::from(Arc::clone(identity.certified_key()));
    server_config_with(identity, Arc::new(resolver))
}

/// The same, but `resolver` chooses the certificate that is shown; `identity` still says whom to let
/// in.
pub fn server_config_with(
    identity: &Identity,
    resolver: Arc<dyn ResolvesServerCert>,
) -> Result<Arc<ServerConfig>, Error> {
    let unusable = |source| Error::Unusable { name: identity.peer().name.clone(), source };
    let verifier = client_verifier(identity.authorities().roots(), identity.revoked())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    // Tickets keep nothing on this side, and one is enough: an overlord keeps its connections.
    config.ticketer = ring::Ticketer::new().map_err(unusable)?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// A client that shows `identity` and believes only servers of its CA.
///
/// `sessions` is the number of servers whose session is remembered, which spares most of a second
/// handshake's work; 0 remembers none.
pub fn client_config(identity: &Identity, sessions: usize) -> Result<Arc<ClientConfig>, Error> {
    let unusable = |source| Error::Unusable { name: identity.peer().name.clone(), source };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(identity.authorities().roots()), provider())
        .with_crls(identity.revoked().lists())
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .build()
        .map_err(|error| Error::Verifier { why: error.to_string() })?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(unusable)?
        .with_webpki_verifier(verifier)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity.certified_key()))));
    config.resumption = match sessions {
        0 => Resumption::disabled(),
        // rustls remembers a server for every eight that it is asked for.
        n => Resumption::in_memory_sessions(n.saturating_mul(8)),
    };
    Ok(Arc::new(config))
}

pub(super) fn client_verifier(
    roots: &Arc<RootCertStore>,
    revoked: &RevocationList,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .with_crls(revoked.lists())
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .build()
        .map_err(|error| Error::Verifier { why: error.to_string() })
}
