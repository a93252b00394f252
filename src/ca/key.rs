//! The authority's private key as it lies on the disk: in clear, or sealed with a passphrase.
//!
//! A sealed key is PKCS #8 with PBES2 (RFC 8018): scrypt makes a key of the passphrase, AES-256 in CBC mode encrypts. Other
//! tools read it: `openssl pkey -in ca-key.pem`. OpenSSL gives scrypt no more than 32 MiB, so trying one passphrase takes 16 MiB
//! five times over (which counts as much as 128 MiB once), and some tenths of a second. How a key was sealed stands beside it.

use std::{fmt, fs, path::Path};

use pkcs8::{
    EncryptedPrivateKeyInfo, PrivateKeyInfo,
    pkcs5::{pbes2, scrypt},
};
use rcgen::KeyPair;
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

use super::Error;
use crate::{sys::durable, tls};

/// Of scrypt: the logarithm of its cost, the size of its blocks, how often, and the bytes of the key for AES-256.
const COST: (u8, u32, u32, usize) = (14, 8, 5, 32);

const CLEAR: &str = "PRIVATE KEY";
const SEALED: &str = "ENCRYPTED PRIVATE KEY";

/// What seals the authority's key. It is wiped from memory when it goes.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// An empty passphrase protects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// A passphrase of at least one character.
    pub fn new(text: &str) -> Result<Self, EmptyPassphrase> {
        if text.is_empty() { Err(EmptyPassphrase) } else { Ok(Self(Zeroizing::new(text.to_owned()))) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// The key at rest.
pub(super) enum AtRest {
    /// As PEM.
    Clear(Zeroizing<String>),
    /// As DER, which only the passphrase opens.
    Sealed(Vec<u8>),
}

impl AtRest {
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, &Zeroizing::new(text))
    }

    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::Damaged { path: path.to_owned(), why: "it holds no key in PEM form".to_owned() };
        let (_, pem) = parse_x509_pem(text).map_err(|_| damaged())?;
        if pem.label == SEALED {
            return Ok(Self::Sealed(pem.contents));
        }
        let text = std::str::from_utf8(text).map_err(|_| damaged())?;
        Ok(Self::Clear(Zeroizing::new(text.to_owned())))
    }

    /// The key in clear, as PEM.
    pub(super) fn open(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, Error> {
        let der = match (self, passphrase) {
            (Self::Clear(pem), _) => return Ok(pem.clone()),
            (Self::Sealed(_), None) => return Err(Error::Sealed { path: path.to_owned() }),
            (Self::Sealed(der), Some(passphrase)) => {
                let sealed = EncryptedPrivateKeyInfo::try_from(der.as_slice())
                    .map_err(|error| Error::Damaged { path: path.to_owned(), why: error.to_string() })?;
                // Of what a wrong passphrase makes, only the padding or the form tells.
                sealed
                    .decrypt(passphrase.0.as_bytes())
                    .ok()
                    .filter(|document| PrivateKeyInfo::try_from(document.as_bytes()).is_ok())
                    .ok_or_else(|| Error::WrongPassphrase { path: path.to_owned() })?
            }
        };
        Ok(Zeroizing::new(tls::pem(CLEAR, der.as_bytes())))
    }
}

/// Writes the key in a file with another passphrase, or with none. One that is sealed with it already, by a change that broke
/// off, is left.
pub(super) fn seal_anew(path: &Path, old: Option<&Passphrase>, new: Option<&Passphrase>) -> Result<(), Error> {
    let at_rest = AtRest::read(path)?;
    let clear = match at_rest.open(path, old) {
        Err(Error::WrongPassphrase { .. } | Error::Sealed { .. })
            if new.is_some() && at_rest.open(path, new).is_ok() =>
        {
            return Ok(());
        }
        opened => opened?,
    };
    let key =
        KeyPair::from_pem(&clear).map_err(|error| Error::Damaged { path: path.to_owned(), why: error.to_string() })?;
    let pem = to_pem(&key, new)?;
    // What cannot be opened again, or is another key, would be the end of the authority.
    let again = AtRest::parse(path, pem.as_bytes())?.open(path, new)?;
    let again = KeyPair::from_pem(&again).map_err(Error::Sign)?;
    if again.public_key_raw() != key.public_key_raw() {
        return Err(Error::Seal(pkcs8::pkcs5::Error::EncryptFailed));
    }
    durable::write_atomic(path, pem.as_bytes(), 0o600).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The key as the file holds it.
pub(super) fn to_pem(key: &KeyPair, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, Error> {
    let der = Zeroizing::new(key.serialize_der());
    let Some(passphrase) = passphrase else { return Ok(Zeroizing::new(tls::pem(CLEAR, &der))) };
    let mut random = [0; 32];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut random).map_err(|_| Error::Random)?;
    let (salt, iv) = random.split_at(16);
    let iv = <&[u8; 16]>::try_from(iv).map_err(|_| Error::Random)?;
    let (cost, block, times, length) = COST;
    let cost =
        scrypt::Params::new(cost, block, times, length).map_err(|_| Error::Seal(pkcs8::pkcs5::Error::EncryptFailed))?;
    let parameters = pbes2::Parameters::scrypt_aes256cbc(cost, salt, iv).map_err(Error::Seal)?;
    let key = PrivateKeyInfo::try_from(der.as_slice()).map_err(|_| Error::Seal(pkcs8::pkcs5::Error::EncryptFailed))?;
    let sealed = key
        .encrypt_with_params(parameters, passphrase.0.as_bytes())
        .map_err(|_| Error::Seal(pkcs8::pkcs5::Error::EncryptFailed))?;
    Ok(Zeroizing::new(tls::pem(SEALED, sealed.as_bytes())))
}
