//! The certificates that are not to be trusted any more.
//!
//! Each list has a number that grows with every change (RFC 5280, 5.2.3), so that an old one can be told from a new one:
//! whoever has a list takes none with a lower number, and none that lacks an authority's.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    path::Path,
};

use rustls::pki_types::{CertificateRevocationListDer, TrustAnchor, pem::PemObject};
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList, x509::SubjectPublicKeyInfo};

use super::{Authorities, Error, config::client_verifier, der::sequence, pem};
use crate::ids::{Digest, Serial};

/// The CRLs of our CAs (RFC 5280, section 5), checked; or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationList {
    lists: BTreeMap<Issuer, List>,
}

/// Which authority: the beginning of its key's digest.
type Issuer = String;

#[derive(Debug, Clone, PartialEq, Eq)]
struct List {
    number: u64,
    serials: HashSet<Serial>,
    der: CertificateRevocationListDer<'static>,
}

impl RevocationList {
    /// Nothing is revoked.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether the certificate of this serial number is revoked.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.lists.values().any(|list| list.serials.contains(serial))
    }

    /// How many certificates are revoked.
    pub fn len(&self) -> usize {
        self.lists.values().map(|list| list.serials.len()).sum()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lists as rustls takes them.
    pub(super) fn lists(&self) -> Vec<CertificateRevocationListDer<'static>> {
        self.lists.values().map(|list| list.der.clone()).collect()
    }

    /// The numbers, as text that fits into a header: `ISSUER:NUMBER,…`, or `none`.
    pub fn numbers(&self) -> String {
        let mut text = String::new();
        for (issuer, list) in &self.lists {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing into memory does not fail.
            let _ = write!(text, "{comma}{issuer}:{}", list.number);
        }
        if text.is_empty() { "none".to_owned() } else { text }
    }

    /// Whether this has something that is newer than what another holder says of its own, in the words of
    /// [`numbers`](Self::numbers).
    pub fn is_news_for(&self, numbers: &str) -> bool {
        let theirs: BTreeMap<&str, u64> = numbers
            .split(',')
            .filter_map(|one| one.split_once(':'))
            .filter_map(|(issuer, number)| Some((issuer, number.parse().ok()?)))
            .collect();
        self.lists.iter().any(|(issuer, list)| theirs.get(issuer.as_str()).is_none_or(|their| *their < list.number))
    }

    /// Whether somebody who has `in_force` would go back by taking this.
    pub fn goes_back_from(&self, in_force: &Self) -> bool {
        in_force.is_news_for(&self.numbers())
    }

    /// Of each authority the newer list.
    #[must_use]
    pub fn newest_of(&self, other: &Self) -> Self {
        let mut newest = self.clone();
        for (issuer, list) in &other.lists {
            newest.absorb(issuer.clone(), list.clone());
        }
        newest
    }

    /// Nobody who was revoked by an older list of an authority is not by a newer.
    fn absorb(&mut self, issuer: Issuer, mut list: List) {
        if let Some(own) = self.lists.get_mut(&issuer) {
            if own.number > list.number {
                std::mem::swap(own, &mut list);
            }
            list.serials.extend(own.serials.drain());
        }
        self.lists.insert(issuer, list);
    }

    /// The lists of these authorities alone.
    #[must_use]
    pub fn of(&self, authorities: &Authorities) -> Self {
        let issuers: HashSet<Issuer> = authorities.anchors().iter().map(issuer).collect();
        let mut own = self.clone();
        own.lists.retain(|issuer, _| issuers.contains(issuer));
        own
    }

    /// All lists in PEM form.
    pub fn to_pem(&self) -> String {
        self.lists.values().map(|list| pem("X509 CRL", &list.der)).collect()
    }

    /// Reads the lists at `path`, one of each CA, which must be signed by one of `authorities`; those of the retired are left
    /// aside. A file that is not there revokes nothing.
    ///
    /// rustls verifies a list only while it verifies a certificate that the list is about, and only if nothing else is
    /// wrong with that: too late for a list that is to be believed or refused as a whole.
    pub(super) fn load(path: &Path, authorities: &Authorities, retired: Option<&Authorities>) -> Result<Self, Error> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::none()),
            other => other.map_err(|source| Error::Read { path: path.to_owned(), source })?,
        };
        Self::from_pem(&text, path, authorities, retired)
    }

    /// The same from text; `path` is what it is called in errors.
    pub(super) fn from_pem(
        text: &[u8],
        path: &Path,
        authorities: &Authorities,
        retired: Option<&Authorities>,
    ) -> Result<Self, Error> {
        let pem = || Error::Pem { place: format!("`{}`", path.display()), kind: "revocation list" };
        let (mut all, mut aside) = (Self::none(), false);
        for list in CertificateRevocationListDer::pem_slice_iter(text) {
            let list = list.map_err(|_| pem())?;
            let (_, parsed) = CertificateRevocationList::from_der(&list).map_err(|_| pem())?;
            let signed = |all: &Authorities| all.anchors().iter().find(|root| has_signed(root, &parsed)).map(issuer);
            let Some(issuer) = signed(authorities) else {
                if retired.and_then(signed).is_some() {
                    aside = true;
                    continue;
                }
                return Err(Error::ForeignRevocations { path: path.to_owned() });
            };
            let number = parsed.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
            let serials =
                parsed.iter_revoked_certificates().map(|entry| Serial::from_bytes(entry.raw_serial())).collect();
            all.absorb(issuer, List { number, serials, der: list });
        }
        if all.lists.is_empty() && !aside {
            return Err(pem());
        }
        // rustls has its own opinion of what a list may hold; better now than at the first handshake.
        client_verifier(authorities.roots(), &all)?;
        Ok(all)
    }
}

/// Which authority it is.
fn issuer(root: &TrustAnchor<'_>) -> Issuer {
    Digest::of(&root.subject_public_key_info).to_string()[..16].to_owned()
}

/// Whether a CA signed a list.
fn has_signed(root: &TrustAnchor<'_>, list: &CertificateRevocationList<'_>) -> bool {
    // A trust anchor holds the inside of its sequences, the list all of it.
    let named = !root.subject.is_empty() && list.issuer().as_raw().ends_with(&root.subject);
    let key = sequence(&root.subject_public_key_info);
    named && SubjectPublicKeyInfo::from_der(&key).is_ok_and(|(_, key)| list.verify_signature(&key).is_ok())
}
