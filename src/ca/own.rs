//! The certificate of the overlord on the authority's own machine, which nobody else would renew.

use std::{fs, path::Path};

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{Authority, Entry, Error, IssueRequest, audit, lock, profile, signing_request::key_digest};
use crate::{
    sys::durable,
    tls::{self, CERTIFICATE_FILE, Identity, KEY_FILE, Peer, Role},
};

impl Authority {
    /// Gives the overlord's identity in `folder` a new key and certificate, for as long as the last one was for, once two
    /// thirds of its life have passed or another authority has taken the place of the one that issued it. Nothing happens to one that this authority did not issue, or has revoked.
    pub fn renew_own(&self, folder: &Path) -> Result<Option<Peer>, Error> {
        let path = folder.join(CERTIFICATE_FILE);
        let _lock = lock::hold(&path)?;
        let (key_path, now) = (folder.join(KEY_FILE), Timestamp::now());
        tls::finish_installation(&path, &key_path).map_err(|source| Error::Write { path: path.clone(), source })?;
        let Ok(identity) = Identity::in_folder(folder) else { return Ok(None) };
        let peer = identity.peer();
        let ours = |entry: &Entry| entry.fingerprint == peer.fingerprint && peer.role == Some(entry.role);
        let (issued, revoked) = (self.issued()?, self.revoked()?);
        let Some(entry) = issued.into_iter().find(|entry| ours(entry) && !revoked.contains(&entry.serial)) else {
            return Ok(None);
        };
        if !is_due(peer, now) && (self.is_own(&entry) || !matches!(entry.role, Role::Overlord | Role::Reader)) {
            return Ok(None);
        }
        let days = peer.not_after.duration_since(peer.not_before).as_hours() / 24;
        let days = u32::try_from(days).unwrap_or(IssueRequest::DAYS).clamp(1, self.days_left().max(1));
        let wanted =
            IssueRequest { addresses: entry.addresses, days, ..IssueRequest::new(entry.name.clone(), entry.role) };
        let key = profile::new_key()?;
        let (certificate, fresh) = self.sign_key(&wanted, &key)?;
        let change = audit::Change::new(audit::Event::Renewed).of(&entry.name).serial(&fresh.serial);
        self.record(std::slice::from_ref(&fresh), &[change.key(key_digest(&key))])?;
        let write = |path: &Path, name: &str, text: &str, mode| {
            let path = durable::folder_of(path).join(name);
            durable::write_atomic(&path, text.as_bytes(), mode).map_err(|source| Error::Write { path, source })
        };
        write(&key_path, tls::NEXT_KEY_FILE, &zeroize::Zeroizing::new(key.serialize_pem()), 0o600)?;
        write(&path, tls::NEXT_CERTIFICATE_FILE, &self.handed_out(&certificate), 0o644)?;
        tls::finish_installation(&path, &key_path).map_err(|source| Error::Write { path: path.clone(), source })?;
        Peer::from_certificate(certificate.der()).map(Some).map_err(Error::Door)
    }
}

/// Finishes a renewal of the identity in `folder` that broke off, after which key and certificate belong together again.
/// Whoever is about to renew it is waited for; where no new certificate lies ready nothing happens, without a lock.
pub fn finish_own(folder: &Path) -> Result<(), Error> {
    if !folder.join(tls::NEXT_CERTIFICATE_FILE).exists() {
        return Ok(());
    }
    let path = folder.join(CERTIFICATE_FILE);
    let _lock = lock::hold(&path)?;
    tls::finish_installation(&path, &folder.join(KEY_FILE)).map_err(|source| Error::Write { path, source })
}

/// Whether the certificate in a folder is an overlord's that should be replaced. It takes no lock and reads one file.
pub fn own_is_due(folder: &Path) -> bool {
    let pem = fs::read(folder.join(CERTIFICATE_FILE)).ok();
    let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
    let peer = der.and_then(|der| Peer::from_certificate(&der).ok());
    peer.is_some_and(|peer| is_due(&peer, Timestamp::now()))
}

fn is_due(peer: &Peer, now: Timestamp) -> bool {
    matches!(peer.role, Some(Role::Overlord | Role::Reader)) && peer.is_due(now)
}
