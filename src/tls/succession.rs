//! Whether an identity that is read anew may take the place of the one in force.

use std::{fs, io, path::Path, sync::Arc, time::SystemTime};

use super::{Error, Identity};
use crate::sys::durable;

/// A new key on its way into use, beside the one that is.
pub const NEXT_KEY_FILE: &str = "next-key.pem";
/// Its certificate: once it is there, a crash ends with the new identity.
pub const NEXT_CERTIFICATE_FILE: &str = "next-cert.pem";

/// Puts a certificate that lies ready into its place, and its key before it. What broke off is finished by the next call;
/// where nothing lies ready, nothing happens.
pub fn finish_installation(certificate: &Path, key: &Path) -> io::Result<()> {
    let (key_folder, folder) = (durable::folder_of(key), durable::folder_of(certificate));
    let (next_key, next) = (key_folder.join(NEXT_KEY_FILE), folder.join(NEXT_CERTIFICATE_FILE));
    if !next.exists() {
        return Ok(());
    }
    if next_key.exists() {
        fs::rename(&next_key, key)?;
        durable::sync_folder(key_folder)?;
    }
    fs::rename(&next, certificate)?;
    durable::sync_folder(folder)
}

/// What the files of an identity were like; another one, and they are read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64)>; 4]);

impl Stamp {
    /// Of certificate, key, authority and revocation list.
    pub fn of(files: [&Path; 4]) -> Self {
        Self(files.map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        }))
    }
}

impl Identity {
    /// `fresh`, to go on with in place of this one; `list` is where its revocation list lies. It must be of the same name
    /// and go back behind no statement of authorities,
    /// and nobody who is revoked comes back: an older list is refused, and one that has vanished is more likely a mistake
    /// than an amnesty.
    pub fn succeeded_by(&self, fresh: Self, list: &Path) -> Result<Self, Error> {
        if fresh.peer().name != self.peer().name {
            return Err(Error::OtherName { name: fresh.peer().name.clone(), was: self.peer().name.clone() });
        }
        if fresh.trust_number() < self.trust_number() {
            return Err(Error::OlderTrust { number: fresh.trust_number(), was: self.trust_number() });
        }
        let in_force = self.revoked().of(fresh.authorities());
        match fresh.revoked().goes_back_from(&in_force) {
            false => Ok(fresh),
            true if !list.exists() => Ok(fresh.with_revoked(Arc::new(in_force))),
            true => Err(Error::OlderRevocations { path: list.to_owned() }),
        }
    }
}
