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

#[cfg(test)]
mod tests {
    use std::{io::BufRead as _, os::unix::fs::FileExt as _, process::Command};

    use super::*;
    use crate::ca::profile;

    /// Tells a process that it is the one whose memory is looked at.
    const INSIDE: &str = "FUNC_TEST_MEMORY";

    /// A text that is not itself in memory.
    struct Masked(Vec<u8>);

    impl Masked {
        fn of(text: &str) -> Self {
            Self(text.bytes().map(|byte| byte ^ 0x5a).collect())
        }

        fn is_at(&self, bytes: &[u8]) -> bool {
            bytes.len() >= self.0.len() && self.0.iter().zip(bytes).all(|(masked, byte)| *masked == *byte ^ 0x5a)
        }
    }

    /// Which of these texts are in memory that this process may write.
    fn in_memory(texts: &[Masked]) -> Vec<usize> {
        let memory = fs::File::open("/proc/self/mem").unwrap();
        let maps = fs::File::open("/proc/self/maps").unwrap();
        let mut found = Vec::new();
        for line in std::io::BufReader::new(maps).lines().map_while(Result::ok).filter(|line| line.contains(" rw-p ")) {
            let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap().min(64 << 20)];
            let Ok(count) = memory.read_at(&mut bytes, from) else { continue };
            let at = |text: &Masked| (0..count).any(|at| text.is_at(&bytes[at..count]));
            found.extend(texts.iter().enumerate().filter(|(_, text)| at(text)).map(|(number, _)| number));
        }
        found
    }

    /// Seals a key, opens it, and answers its text and the passphrase, masked; nothing else of them is left.
    fn used() -> Vec<Masked> {
        let words = Masked(b"correct horse battery".map(|byte| byte ^ 0x5a).to_vec());
        let text = Zeroizing::new(words.0.iter().map(|byte| char::from(byte ^ 0x5a)).collect::<String>());
        let passphrase = Passphrase::new(&text).unwrap();
        let sealed = to_pem(&profile::new_key().unwrap(), Some(&passphrase)).unwrap();
        let path = Path::new("ca-key.pem");
        let opened = AtRest::parse(path, sealed.as_bytes()).unwrap().open(path, Some(&passphrase)).unwrap();
        let line = Masked::of(opened.lines().nth(2).unwrap());
        assert_eq!(in_memory(&[Masked(line.0.clone())]), [0], "it is looked for in vain");
        vec![words, line]
    }

    #[test]
    fn neither_the_passphrase_nor_the_text_of_the_key_stays_in_memory() {
        if std::env::var_os(INSIDE).is_some() {
            let used = used();
            assert_eq!(in_memory(&used), [0; 0], "the passphrase, or a line of the key");
            return;
        }
        let test = "ca::key::tests::neither_the_passphrase_nor_the_text_of_the_key_stays_in_memory";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let again = again.args(["--exact", test, "--test-threads", "1"]).env(INSIDE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
    }
}
