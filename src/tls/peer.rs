//! Who presents a certificate.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, time::ASN1Time};

use super::{Error, RevocationList, Role};
use crate::ids::{Digest, Serial};

/// The holder of a certificate, as the certificate tells it.
///
/// That the certificate is genuine is the handshake's business: a `Peer` is only made of one that
/// passed, or of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The common name: a host's name, or an operator's.
    pub name: String,
    /// What the certificate was issued for; `None` in certificates of other makes.
    pub role: Option<Role>,
    /// The certificate's serial number.
    pub serial: Serial,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// SHA-256 of the whole certificate.
    pub fingerprint: Digest,
}

impl Peer {
    /// Reads a certificate in DER form.
    pub fn from_certificate(der: &[u8]) -> Result<Self, Error> {
        let refuse = |why| Error::Certificate { why };
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| refuse("it is not X.509 in DER form"))?;
        if !rest.is_empty() {
            return Err(refuse("something follows it"));
        }
        let mut names = certificate.subject().iter_common_name();
        let name = names.next().and_then(|name| name.as_str().ok()).ok_or(refuse("it has no common name"))?;
        if names.next().is_some() {
            return Err(refuse("it has more than one common name"));
        }
        let alternatives =
            certificate.subject_alternative_name().map_err(|_| refuse("its alternative names are malformed"))?;
        let mut roles =
            alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
                GeneralName::URI(uri) => Role::from_uri(uri),
                _ => None,
            });
        let role = roles.next();
        if roles.next().is_some() {
            return Err(refuse("it has more than one role"));
        }
        let time = |at: ASN1Time| Timestamp::from_second(at.timestamp()).map_err(|_| refuse("its dates are malformed"));
        Ok(Self {
            name: name.to_owned(),
            role,
            serial: Serial::from_bytes(certificate.raw_serial()),
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
            fingerprint: Digest::of(der),
        })
    }

    /// Reads the first certificate of a PEM file.
    pub fn from_pem_file(path: &Path) -> Result<Self, Error> {
        let none = |_| Error::Pem { place: format!("`{}`", path.display()), kind: "certificate" };
        Self::from_certificate(&CertificateDer::from_pem_file(path).map_err(none)?)
    }

    /// Whether two thirds of its life have passed, so that it should be replaced.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let (age, life) = (now.duration_since(self.not_before), self.not_after.duration_since(self.not_before));
        age.as_secs().saturating_mul(3) >= life.as_secs().saturating_mul(2)
    }

    /// Whether the certificate still holds, to be asked for every request.
    pub fn check(&self, now: Timestamp, revoked: &RevocationList) -> Result<(), Error> {
        let name = || self.name.clone();
        if now > self.not_after {
            return Err(Error::Expired { name: name(), at: self.not_after });
        }
        if now < self.not_before {
            return Err(Error::NotYetValid { name: name(), at: self.not_before });
        }
        if revoked.contains(&self.serial) {
            return Err(Error::Revoked { name: name(), serial: self.serial.clone() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(der: Vec<u8>) {
            proptest::prop_assert!(Peer::from_certificate(&der).is_err());
        }
    }
}
