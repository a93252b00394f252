//! The certificates that are not to be trusted any more.

use std::{collections::HashSet, path::Path, sync::Arc};

use rustls::{
    CertRevocationListError, RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
};
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

use super::{Error, config::client_verifier};
use crate::ids::Serial;

/// A CRL of our CA (RFC 5280, section 5), checked; or none.
#[derive(Debug, Clone, Default)]
pub struct RevocationList {
    serials: HashSet<Serial>,
    lists: Vec<CertificateRevocationListDer<'static>>,
}

impl RevocationList {
    /// Nothing is revoked.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether the certificate of this serial number is revoked.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.serials.contains(serial)
    }

    /// How many certificates are revoked.
    pub fn len(&self) -> usize {
        self.serials.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.serials.is_empty()
    }

    /// The lists as rustls takes them.
    pub(super) fn lists(&self) -> Vec<CertificateRevocationListDer<'static>> {
        self.lists.clone()
    }

    /// Reads the list at `path`, which must be signed by one of `roots`. A file that is not there
    /// revokes nothing.
    ///
    /// rustls verifies a list only while it verifies a certificate, so `own` is verified once: what
    /// it says about the list counts, what it says about the certificate does not.
    pub(super) fn load(
        path: &Path,
        roots: &Arc<RootCertStore>,
        own: &[CertificateDer<'static>],
    ) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::none()),
            other => other.map_err(|source| Error::Read { path: path.to_owned(), source })?,
        };
        let pem = || Error::Pem { place: format!("`{}`", path.display()), kind: "revocation list" };
        let foreign = || Error::ForeignRevocations { path: path.to_owned() };
        let list = CertificateRevocationListDer::from_pem_slice(&text).map_err(|_| pem())?;
        let (_, parsed) = CertificateRevocationList::from_der(&list).map_err(|_| pem())?;
        let issuer = parsed.issuer().as_raw();
        // A trust anchor holds the inside of the subject's sequence, the list all of it.
        if !roots.roots.iter().any(|root| issuer.ends_with(&root.subject) && !root.subject.is_empty()) {
            return Err(foreign());
        }
        let serials = parsed.iter_revoked_certificates().map(|entry| Serial::from_bytes(entry.raw_serial())).collect();
        let revoked = Self { serials, lists: vec![list] };
        let verifier = client_verifier(roots, &revoked)?;
        let Some((leaf, chain)) = own.split_first() else { return Err(foreign()) };
        match verifier.verify_client_cert(leaf, chain, UnixTime::now()) {
            Err(rustls::Error::InvalidCertRevocationList(CertRevocationListError::BadSignature)) => Err(foreign()),
            Err(rustls::Error::InvalidCertRevocationList(error)) => Err(Error::Verifier { why: format!("{error:?}") }),
            _ => Ok(revoked),
        }
    }
}
