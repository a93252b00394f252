//! What a machine sends to get a certificate (PKCS #10, RFC 2986): of all that it says, the key and the name are believed.
//!
//! The key because the request is signed with it, the name because it is checked, here as a name and later by whoever
//! signs. Extensions, alternative names, roles and dates that somebody wrote into it are not even looked at.

use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _, SubjectPublicKeyInfo};
use x509_parser::{certification_request::X509CertificationRequest, pem::parse_x509_pem, prelude::FromDer};

use super::{Error, profile};
use crate::ids::{Digest, HostName};

/// A request whose signature was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct SigningRequest {
    name: HostName,
    key: SubjectPublicKeyInfo,
    der: Vec<u8>,
}

/// Why bytes are not a request that anybody would sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// More than any honest request needs.
    #[error("the request is longer than {} bytes", SigningRequest::MOST_BYTES)]
    TooLong,
    /// It has no form of a request.
    #[error("it is not a certificate request: {0}")]
    Form(&'static str),
    /// Whoever sent it does not hold the key in it.
    #[error("the request is not signed with the key that is in it")]
    Signature,
    /// A key that is not accepted.
    #[error("its key is of a kind that is not accepted; use ECDSA P-256, P-384, Ed25519, or RSA of 2048 bits or more")]
    Key,
    /// The name in it cannot be a host's.
    #[error("its common name cannot be a host's name")]
    Name(#[source] crate::ids::InvalidId),
}

impl SigningRequest {
    /// The longest that is read: RSA of 8192 bits fits twice.
    pub const MOST_BYTES: usize = 8 << 10;

    /// Reads a request in PEM form.
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidRequest> {
        if text.len() > Self::MOST_BYTES {
            return Err(InvalidRequest::TooLong);
        }
        let (_, pem) = parse_x509_pem(text).map_err(|_| InvalidRequest::Form("there is no PEM in it"))?;
        // OpenSSL of old wrote `NEW` before it.
        if !matches!(pem.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(InvalidRequest::Form("it is PEM of something else"));
        }
        Self::from_der(&pem.contents)
    }

    /// Reads a request in DER form.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidRequest> {
        if der.len() > Self::MOST_BYTES {
            return Err(InvalidRequest::TooLong);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_| InvalidRequest::Form("its DER is malformed"))?;
        if !rest.is_empty() {
            return Err(InvalidRequest::Form("something follows it"));
        }
        request.verify_signature().map_err(|_| InvalidRequest::Signature)?;
        let inside = &request.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(inside.subject_pki.raw).map_err(|_| InvalidRequest::Key)?;
        let mut names = inside.subject.iter_common_name();
        let (Some(name), None) = (names.next(), names.next()) else {
            return Err(InvalidRequest::Form("it needs one common name"));
        };
        let name = name.as_str().map_err(|_| InvalidRequest::Form("its common name is no text"))?;
        Ok(Self { name: name.parse().map_err(InvalidRequest::Name)?, key, der: der.to_owned() })
    }

    /// Makes a request for `name`, signed with `key`; in PEM form.
    pub fn make(name: &HostName, key: &KeyPair) -> Result<String, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name.as_str());
        params.serialize_request(key).and_then(|request| request.pem()).map_err(Error::Sign)
    }

    /// Makes a key for a request, in PEM form.
    pub fn new_key() -> Result<String, Error> {
        Ok(profile::new_key()?.serialize_pem())
    }

    /// Makes a request for `name`, signed with the key of this PEM.
    pub fn make_with(name: &HostName, key_pem: &str) -> Result<String, Error> {
        Self::make(name, &KeyPair::from_pem(key_pem).map_err(Error::Sign)?)
    }

    /// Who asks.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// What tells its key from every other.
    pub fn key(&self) -> Digest {
        key_digest(&self.key)
    }

    /// The request itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.key
    }
}

/// What tells a key from every other: SHA-256 of its `SubjectPublicKeyInfo`.
pub(super) fn key_digest(key: &impl rcgen::PublicKeyData) -> Digest {
    Digest::of(&key.subject_public_key_info())
}

/// What both sides show to be compared by people: it stands for the key that asks *and* for the authority that it
/// sees, so that somebody between the two, who has another key or another authority, makes another.
pub fn comparison(key: &Digest, authority: &Digest) -> String {
    let both: Vec<u8> = [key.as_bytes(), authority.as_bytes()].into_iter().flatten().copied().collect();
    let digits = Digest::of(&both).to_string();
    let groups: Vec<&str> = (0..8).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

/// The comparison for the key in this PEM.
pub fn comparison_of(key_pem: &str, authority: &Digest) -> Result<String, Error> {
    let key = KeyPair::from_pem(key_pem).map_err(Error::Sign)?;
    Ok(comparison(&key_digest(&key), authority))
}

/// That `key` is the key in `key_pem`, for whoever gets a certificate and has a key.
pub fn key_of(key_pem: &str) -> Result<Digest, Error> {
    let key = KeyPair::from_pem(key_pem).map_err(Error::Sign)?;
    Ok(Digest::of(&key.subject_public_key_info()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> String {
        SigningRequest::make(&name.parse().unwrap(), &profile::new_key().unwrap()).unwrap()
    }

    #[test]
    fn a_request_says_its_name_and_its_key() {
        let key = profile::new_key().unwrap();
        let pem = SigningRequest::make(&"web1".parse().unwrap(), &key).unwrap();
        let read = SigningRequest::from_pem(pem.as_bytes()).unwrap();
        assert_eq!((read.name().as_str(), read.key()), ("web1", key_of(&key.serialize_pem()).unwrap()));
        assert_eq!(SigningRequest::from_der(read.der()).unwrap(), read);
    }

    #[test]
    fn a_request_that_was_changed_after_it_was_signed_is_refused() {
        let read = SigningRequest::from_pem(request("web1").as_bytes()).unwrap();
        let at = read.der().windows(4).position(|window| window == b"web1").unwrap();
        let mut forged = read.der().to_owned();
        forged[at..at + 4].copy_from_slice(b"web2");
        assert_eq!(SigningRequest::from_der(&forged), Err(InvalidRequest::Signature));
        forged.push(0);
        assert!(matches!(SigningRequest::from_der(&forged), Err(InvalidRequest::Form(_))));
    }

    #[test]
    fn a_name_that_no_host_may_have_is_refused() {
        for name in ["../../etc", "a b", "", "web1\u{1b}[2J"] {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            let pem = params.serialize_request(&profile::new_key().unwrap()).unwrap().pem().unwrap();
            let error = SigningRequest::from_pem(pem.as_bytes()).unwrap_err();
            assert!(matches!(error, InvalidRequest::Name(_) | InvalidRequest::Form(_)), "{name:?}: {error}");
        }
    }

    #[test]
    fn size_is_bounded_before_anything_is_read() {
        let long = format!("{}{}", request("web1"), " ".repeat(SigningRequest::MOST_BYTES));
        assert_eq!(SigningRequest::from_pem(long.as_bytes()), Err(InvalidRequest::TooLong));
    }

    #[test]
    fn the_comparison_is_another_one_for_another_key_or_another_authority() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        assert_eq!(comparison(&a, &b).len(), 39);
        assert!(comparison(&a, &b) != comparison(&b, &b) && comparison(&a, &b) != comparison(&a, &a));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SigningRequest::from_der(&bytes).is_err());
            proptest::prop_assert!(SigningRequest::from_pem(&bytes).is_err());
        }
    }
}
