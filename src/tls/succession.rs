//! What of an identity that is read anew may take the place of the one in force.

use std::{fs, io, path::Path, sync::Arc};

use super::{Error, Identity, IdentityFiles, RevocationList, config::server_config};
use crate::{sys::durable, telemetry::chain};

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

/// What goes on in place of an identity, and what of the files could not be used for it.
#[derive(Debug)]
pub struct Succession {
    /// What goes on.
    pub identity: Identity,
    /// Whether that is another one.
    pub changed: bool,
    /// What is wrong with some of the files, if anything is.
    pub wrong: Option<String>,
}

/// Why an identity is not fit for what it is for.
pub type Unfit = Box<dyn std::error::Error + Send + Sync>;

impl Identity {
    /// What goes on in place of this one when its files are read again. The certificate, with its key and its authorities, and
    /// the revocation lists are taken each for itself, so that neither holds the other up. A certificate must be of the same
    /// name, `fit`, and go back behind no statement of authorities. Nobody who is revoked comes back: an older list is refused,
    /// and one that has vanished is more likely a mistake than an amnesty.
    pub fn reread(&self, files: &IdentityFiles, fit: impl Fn(&Self) -> Result<(), Unfit>) -> Succession {
        let mut wrong = Vec::new();
        let mut identity = self.clone();
        match self.renewed(files, fit) {
            Ok(fresh) => identity = fresh,
            Err(error) => wrong.push(chain(&*error)),
        }
        match identity.newer_lists(&files.revoked) {
            Ok(lists) => identity = identity.with_revoked(lists),
            Err(error) => wrong.push(chain(&error)),
        }
        let changed = !identity.is_the_same_as(self);
        Succession { identity, changed, wrong: (!wrong.is_empty()).then(|| wrong.join("; ")) }
    }

    fn renewed(&self, files: &IdentityFiles, fit: impl Fn(&Self) -> Result<(), Unfit>) -> Result<Self, Unfit> {
        let fresh = Self::load(&files.certificate, &files.key, &files.authority)?;
        if fresh.peer().name != self.peer().name {
            let (name, was) = (fresh.peer().name.clone(), self.peer().name.clone());
            return Err(Error::OtherName { name, was }.into());
        }
        if fresh.trust_number() < self.trust_number() {
            return Err(Error::OlderTrust { number: fresh.trust_number(), was: self.trust_number() }.into());
        }
        let revoked = Arc::new(self.revoked().of(fresh.authorities()));
        let fresh = fresh.with_revoked(revoked);
        fit(&fresh)?;
        // Also with the lists in force it must make a configuration, or nobody could be let in.
        server_config(&fresh)?;
        Ok(fresh)
    }

    fn newer_lists(&self, path: &Path) -> Result<Arc<RevocationList>, Error> {
        if !path.exists() {
            return Ok(Arc::clone(self.revoked()));
        }
        let fresh = self.clone().with_revocations(path)?;
        if fresh.revoked().goes_back_from(self.revoked()) {
            return Err(Error::OlderRevocations { path: path.to_owned() });
        }
        Ok(Arc::clone(fresh.revoked()))
    }
}
