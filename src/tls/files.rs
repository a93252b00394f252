//! Where an identity lies.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Deserialize;

use super::{CA_FILE, CERTIFICATE_FILE, Error, Identity, KEY_FILE, REVOCATIONS_FILE};

/// The PEM files of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the authorities that are believed, with the statements that say so.
    pub authority: PathBuf,
    /// The authorities' lists of revoked certificates; need not exist.
    pub revoked: PathBuf,
}

/// What the files of an identity were like; another one, and they are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64)>; 4]);

impl Default for IdentityFiles {
    fn default() -> Self {
        Self::in_folder(Path::new("identity"))
    }
}

impl IdentityFiles {
    /// Those of a folder, by their usual names.
    pub fn in_folder(folder: &Path) -> Self {
        let [certificate, key, authority, revoked] =
            [CERTIFICATE_FILE, KEY_FILE, CA_FILE, REVOCATIONS_FILE].map(|name| folder.join(name));
        Self { certificate, key, authority, revoked }
    }

    /// What they are like now.
    pub fn stamp(&self) -> Stamp {
        Stamp([&self.certificate, &self.key, &self.authority, &self.revoked].map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        }))
    }

    /// The identity with its revocation lists.
    pub fn read(&self) -> Result<Identity, Error> {
        Identity::load(&self.certificate, &self.key, &self.authority)?.with_revocations(&self.revoked)
    }
}
