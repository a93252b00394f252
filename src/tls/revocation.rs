//! The certificates that are not to be trusted any more.

use std::{collections::HashSet, iter, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateRevocationListDer, TrustAnchor, pem::PemObject},
};
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList, x509::SubjectPublicKeyInfo};

use super::{Error, config::client_verifier};
use crate::ids::Serial;

/// The CRLs of our CAs (RFC 5280, section 5), checked; or none.
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

    /// Reads the lists at `path`, one of each CA, which must be signed by one of `roots`. A file that is not there revokes
    /// nothing.
    ///
    /// rustls verifies a list only while it verifies a certificate that the list is about, and only if nothing else is
    /// wrong with that: too late for a list that is to be believed or refused as a whole.
    pub(super) fn load(path: &Path, roots: &Arc<RootCertStore>) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::none()),
            other => other.map_err(|source| Error::Read { path: path.to_owned(), source })?,
        };
        let pem = || Error::Pem { place: format!("`{}`", path.display()), kind: "revocation list" };
        let mut all = Self::none();
        for list in CertificateRevocationListDer::pem_slice_iter(&text) {
            let list = list.map_err(|_| pem())?;
            let (_, parsed) = CertificateRevocationList::from_der(&list).map_err(|_| pem())?;
            if !roots.roots.iter().any(|root| has_signed(root, &parsed)) {
                return Err(Error::ForeignRevocations { path: path.to_owned() });
            }
            all.serials.extend(parsed.iter_revoked_certificates().map(|entry| Serial::from_bytes(entry.raw_serial())));
            all.lists.push(list);
        }
        if all.lists.is_empty() {
            return Err(pem());
        }
        // rustls has its own opinion of what a list may hold; better now than at the first handshake.
        client_verifier(roots, &all)?;
        Ok(all)
    }
}

/// Whether a CA signed a list.
fn has_signed(root: &TrustAnchor<'_>, list: &CertificateRevocationList<'_>) -> bool {
    // A trust anchor holds the inside of its sequences, the list all of it.
    let named = !root.subject.is_empty() && list.issuer().as_raw().ends_with(&root.subject);
    let key = sequence(&root.subject_public_key_info);
    named && SubjectPublicKeyInfo::from_der(&key).is_ok_and(|(_, key)| list.verify_signature(&key).is_ok())
}

/// A DER sequence of what is inside it.
fn sequence(inside: &[u8]) -> Vec<u8> {
    const TAG: u8 = 0x30;
    let length = inside.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut whole = vec![TAG];
    match length {
        [short @ 0..0x80] => whole.push(*short),
        // At most eight bytes of length.
        _ => {
            whole
                .extend(iter::once(0x80 | u8::try_from(length.len()).unwrap_or(u8::MAX)).chain(length.iter().copied()));
        }
    }
    whole.extend_from_slice(inside);
    whole
}
