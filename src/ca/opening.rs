//! Opening the authority that lies in a folder, and what lies there anew: another passphrase, another authority.

use std::{fs, io, path::Path};

use rcgen::{Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    Authority, Error, Passphrase, audit,
    authority::{CERTIFICATE, Earlier, KEY},
    key::{self, AtRest},
    lock,
    rotation::{self, Rotation, Stage},
};
use crate::{
    telemetry::chain,
    tls::{self, Peer},
};

/// How often a folder is looked at whose files change places meanwhile.
const ATTEMPTS: usize = 4;

impl Authority {
    /// Opens the authority in `folder`; one whose key is sealed tells what it knows and does not sign.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_any(folder, None)
    }

    /// The same, ready to sign, with the passphrase if its key is sealed.
    pub fn open_with(folder: &Path, passphrase: &Passphrase) -> Result<Self, Error> {
        Self::open_any(folder, Some(passphrase))
    }

    /// The same authority, or the one that has taken its place, as it is now.
    pub fn reopened(&self) -> Result<Self, Error> {
        Self::open_any(self.folder()?, self.passphrase.as_ref())
    }

    /// The authority that has taken its place since it was opened.
    pub fn successor(&self) -> Result<Option<Self>, Error> {
        match self.check_in_office() {
            Err(Error::Replaced { .. }) => self.reopened().map(Some),
            checked => checked.map(|()| None),
        }
    }

    /// Whether it still is the one that signs.
    pub(super) fn check_in_office(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.join(CERTIFICATE);
        match fs::read_to_string(&path) {
            Ok(text) if text == self.certificate => Ok(()),
            Ok(_) => Err(Error::Replaced { path: folder.clone() }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn open_any(folder: &Path, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        for _ in 1..ATTEMPTS {
            rotation::settle(folder)?;
            match Self::open_as_it_lies(folder, passphrase) {
                // Its files may have changed places between two looks.
                Err(Error::Damaged { .. } | Error::Missing { .. }) if folder.join(rotation::FILE).exists() => {}
                opened => return opened,
            }
        }
        Self::open_as_it_lies(folder, passphrase)
    }

    fn open_as_it_lies(folder: &Path, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        let (certificate, key) = (read(folder, CERTIFICATE)?, Zeroizing::new(read(folder, KEY)?));
        let (issuer, ends) = pair(folder, (CERTIFICATE, &certificate), (KEY, key), passphrase)?;
        let rotation = Rotation::load(folder)?;
        let (mut earlier, mut cross) = (None, String::new());
        if rotation.as_ref().is_some_and(|rotation| rotation.stage == Stage::Switched) {
            let old = read(folder, rotation::OLD_CERTIFICATE)?;
            let key = Zeroizing::new(read(folder, rotation::OLD_KEY)?);
            let names = (rotation::OLD_CERTIFICATE, rotation::OLD_KEY);
            let (issuer, _) = pair(folder, (names.0, &old), (names.1, key), passphrase)?;
            earlier = Some(Earlier { issuer, certificate: old });
            cross = read(folder, rotation::CROSS)?;
        }
        let passphrase = passphrase.cloned();
        Ok(Self { folder: Some(folder.to_owned()), issuer, certificate, ends, passphrase, rotation, earlier, cross })
    }

    /// Whether its key is sealed, so that it signs nothing.
    pub fn is_sealed(&self) -> bool {
        self.issuer.is_none()
    }

    /// Seals the key with another passphrase, or with none, and the keys beside it as well.
    pub fn set_passphrase(&self, passphrase: Option<&Passphrase>) -> Result<(), Error> {
        let folder = self.folder()?;
        self.issuer()?;
        let _lock = lock::hold(&folder.join(CERTIFICATE))?;
        self.check_in_office()?;
        // The key that says whether the passphrase is the old one or the new is the last.
        for name in [rotation::NEXT_KEY, rotation::OLD_KEY, KEY] {
            let path = folder.join(name);
            if path.exists() {
                key::seal_anew(&path, self.passphrase.as_ref(), passphrase)?;
            }
        }
        let why = if passphrase.is_some() { "sealed with a passphrase" } else { "without a passphrase" };
        audit::write(folder, &[audit::Change::new(audit::Event::PassphraseSet).why(why)])
    }
}

fn read(folder: &Path, name: &str) -> Result<String, Error> {
    match fs::read_to_string(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing { path: folder.to_owned() }),
        other => other.map_err(|source| Error::Read { path: folder.join(name), source }),
    }
}

/// A certificate and its key, each with the name of its file: what signs, unless the key is sealed, and until when.
fn pair(
    folder: &Path,
    (certificate_file, certificate): (&str, &str),
    (key_file, key): (&str, Zeroizing<String>),
    passphrase: Option<&Passphrase>,
) -> Result<(Option<Issuer<'static, KeyPair>>, OffsetDateTime), Error> {
    let damaged = |name: &str, why: String| Error::Damaged { path: folder.join(name), why };
    let key_path = folder.join(key_file);
    let key = match AtRest::parse(&key_path, key.as_bytes())?.open(&key_path, passphrase) {
        Ok(key) => Some(key),
        Err(Error::Sealed { .. }) => None,
        Err(error) => return Err(error),
    };
    let own = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|_| damaged(certificate_file, "it holds no certificate in PEM form".to_owned()))
        .and_then(|der| Peer::from_certificate(&der).map_err(|error| damaged(certificate_file, chain(&error))))?;
    let ends = OffsetDateTime::from_unix_timestamp(own.not_after.as_second())
        .map_err(|error| damaged(certificate_file, error.to_string()))?;
    let Some(key) = key else { return Ok((None, ends)) };
    // Whether the two belong together.
    tls::Identity::from_pem(certificate, &key, certificate)
        .map_err(|error| damaged(certificate_file, chain(&error)))?;
    let key = KeyPair::from_pem(&key).map_err(|error| damaged(key_file, error.to_string()))?;
    let issuer = Issuer::from_ca_cert_pem(certificate, key);
    Ok((Some(issuer.map_err(|error| damaged(certificate_file, error.to_string()))?), ends))
}
