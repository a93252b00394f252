//! Our own certificate, its key, and the CA that we trust.

use std::{os::unix::fs::MetadataExt as _, path::Path, sync::Arc};

use jiff::Timestamp;
use rustls::{
    CertificateError,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::CertifiedKey,
};

use super::{Authorities, Chain, Error, Peer, RevocationList, Trust, authorities::unix, config::provider};

/// The certificate in a folder that holds an identity.
pub const CERTIFICATE_FILE: &str = "cert.pem";
/// Its private key.
pub const KEY_FILE: &str = "key.pem";
/// The certificates of the CA, and of the one that takes its place, with the statements that say so.
pub const CA_FILE: &str = "ca.pem";
/// The CA's revocation list, if there is one.
pub const REVOCATIONS_FILE: &str = "crl.pem";

/// An identity: who we are on the network, and whose word we take for who others are.
#[derive(Debug, Clone)]
pub struct Identity {
    peer: Peer,
    key: Arc<CertifiedKey>,
    authorities: Authorities,
    trust: Option<Arc<Trust>>,
    revoked: Arc<RevocationList>,
}

impl Identity {
    /// Reads certificate chain, private key and CA certificates from PEM files.
    pub fn load(certificate: &Path, key: &Path, ca: &Path) -> Result<Self, Error> {
        warn_if_others_may_read(key);
        let read = |path: &Path| std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source });
        let place = |path: &Path| format!("`{}`", path.display());
        Self::build((&place(certificate), &read(certificate)?), (&place(key), &read(key)?), (&place(ca), &read(ca)?))
    }

    /// Reads the files of a folder by their usual names.
    pub fn in_folder(folder: &Path) -> Result<Self, Error> {
        Self::load(&folder.join(CERTIFICATE_FILE), &folder.join(KEY_FILE), &folder.join(CA_FILE))?
            .with_revocations(&folder.join(REVOCATIONS_FILE))
    }

    /// The same from text in memory.
    pub fn from_pem(certificate: &str, key: &str, ca: &str) -> Result<Self, Error> {
        Self::build(
            ("the certificate", certificate.as_bytes()),
            ("the key", key.as_bytes()),
            ("the CA's certificate", ca.as_bytes()),
        )
    }

    fn build(certificate: (&str, &[u8]), key: (&str, &[u8]), ca: (&str, &[u8])) -> Result<Self, Error> {
        let chain = certificates(certificate)?;
        let peer = Peer::from_certificate(chain.first().map(AsRef::as_ref).unwrap_or_default())?;
        let key = PrivateKeyDer::from_pem_slice(key.1)
            .map_err(|_| Error::Pem { place: key.0.to_owned(), kind: "private key" })?;
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|source| Error::Unusable { name: peer.name.clone(), source })?;
        let authorities = Authorities::new(certificates(ca)?)?;
        let trust = Trust::read(ca.1).map_err(|source| Error::Trust { place: ca.0.to_owned(), source })?;
        Ok(Self { peer, key: Arc::new(key), authorities, trust, revoked: Arc::default() })
    }

    /// With the revocation lists at `path`, each of which one of our CAs must have signed. No file, nothing revoked.
    pub fn with_revocations(mut self, path: &Path) -> Result<Self, Error> {
        self.revoked = Arc::new(RevocationList::load(path, &self.authorities, self.retired()?.as_ref())?);
        Ok(self)
    }

    /// What a text of revocation lists says, each of which one of our CAs must have signed; `called` is what it is called
    /// in errors.
    pub fn read_revocations(&self, text: &[u8], called: &Path) -> Result<RevocationList, Error> {
        RevocationList::from_pem(text, called, &self.authorities, self.retired()?.as_ref())
    }

    fn retired(&self) -> Result<Option<Authorities>, Error> {
        self.trust.as_ref().map_or(Ok(None), |trust| trust.retired())
    }

    /// Whom we believe.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The statements by which we believe them, if there were any.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        self.trust.as_ref()
    }

    /// The number of the last statement, for a header; 0 if there was none.
    pub fn trust_number(&self) -> u64 {
        self.trust.as_ref().map_or(0, |trust| trust.number())
    }

    /// This identity with the authorities that a text of statements names, if they are newer and the newest authority that
    /// we believe vouches for them; nothing if there is nothing new. What was revoked by authorities that stay stays revoked.
    pub fn convinced_by(&self, text: &[u8]) -> Result<Option<Self>, Error> {
        let none = |source| Error::Trust { place: "what was sent".to_owned(), source };
        let Some(trust) = Trust::read(text).map_err(none)? else {
            return Err(none(super::InvalidTrust::Damaged));
        };
        let Some((trust, authorities)) = trust.news_for(&self.authorities, self.trust_number())? else {
            return Ok(None);
        };
        let revoked = Arc::new(self.revoked.of(&authorities));
        Ok(Some(Self { authorities, trust: Some(Arc::new(trust)), revoked, ..self.clone() }))
    }

    /// With these lists, which were read by this identity or one with the same authorities.
    #[must_use]
    pub fn with_revoked(mut self, revoked: Arc<RevocationList>) -> Self {
        self.revoked = revoked;
        self
    }

    /// Whether a client of our CA would take us for the server of our name: asked before anybody connects,
    /// because afterwards only the clients know.
    pub fn check_as_server(&self, now: Timestamp) -> Result<(), Error> {
        self.peer.check(now, &self.revoked)?;
        let name = || self.peer.name.clone();
        let unusable = |source| Error::Unusable { name: name(), source };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(self.authorities.roots()), provider())
            .build()
            .map_err(|error| Error::Verifier { why: error.to_string() })?;
        let shown = ServerName::try_from(name()).map_err(|_| unusable(CertificateError::NotValidForName.into()))?;
        let Some((certificate, chain)) = self.key.cert.split_first() else {
            return Err(Error::Certificate { why: "there is none" });
        };
        match verifier.verify_server_cert(certificate, chain, &shown, &[], unix(now)) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Err(Error::NotIssued { name: name() }),
            Err(source) => Err(unusable(source)),
        }
    }

    /// Whether we still believe a peer whose handshake is over, to be asked for every request.
    pub fn check(&self, peer: &Peer, chain: &Chain, now: Timestamp) -> Result<(), Error> {
        peer.check(now, &self.revoked)?;
        self.gives_up(peer, chain).map_or(Ok(()), Err)
    }

    /// Why we believe a peer no more whom we once believed, apart from time that has passed.
    pub fn gives_up(&self, peer: &Peer, chain: &Chain) -> Option<Error> {
        let name = || peer.name.clone();
        if self.revoked.contains(&peer.serial) {
            return Some(Error::Revoked { name: name(), serial: peer.serial.clone() });
        }
        let vouched = chain.is_vouched_by(&self.authorities, Timestamp::now());
        (!vouched).then(|| Error::Disowned { name: name() })
    }

    /// What our certificate says of us.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What is revoked.
    pub fn revoked(&self) -> &Arc<RevocationList> {
        &self.revoked
    }

    /// Whether it is the same certificate, with the same authorities by the same statement and the same lists.
    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
            && self.authorities == other.authorities
            && self.trust_number() == other.trust_number()
            && self.revoked == other.revoked
    }

    /// Chain and key, as rustls takes them.
    pub fn certified_key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }
}

fn certificates((place, pem): (&str, &[u8])) -> Result<Vec<CertificateDer<'static>>, Error> {
    let none = || Error::Pem { place: place.to_owned(), kind: "certificate" };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| none())?;
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// A key that others may read is used all the same: refusing would stop a service for a chmod.
fn warn_if_others_may_read(key: &Path) {
    if std::fs::metadata(key).is_ok_and(|meta| meta.mode() & 0o077 != 0) {
        tracing::warn!(key = %key.display(), "other users may read this private key; run `chmod 600` on it");
    }
}
