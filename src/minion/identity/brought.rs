//! What overlords bring: revocation lists, statements of authorities, certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Kept, Now, finish, internal, refused};
use crate::{
    ca::SigningRequest,
    ids::HostName,
    sys::durable,
    telemetry::chain,
    tls::{self, Identity, NEXT_CERTIFICATE_FILE, NEXT_KEY_FILE, RevocationList},
    wire::{RemoteError, Value},
};

/// The longest text that is read as a certificate or a list.
const MOST_BYTES: usize = 4 << 20;

impl Kept {
    pub(super) fn now(&self) -> Arc<Now> {
        Arc::clone(&self.sender.borrow())
    }

    /// Takes the newer list of each authority.
    pub(super) fn take_list(&self, text: &[u8]) -> Result<Value, RemoteError> {
        let now = self.now();
        let path = &self.files.revoked;
        let fresh = read_list(&now.identity, text, path)?;
        let in_force = now.identity.revoked();
        let news = fresh.is_news_for(&in_force.numbers());
        if news {
            let newest = fresh.newest_of(in_force);
            durable::write_atomic(path, newest.to_pem().as_bytes(), 0o644).map_err(|error| internal(path, &error))?;
            let identity = now.identity.clone().with_revoked(Arc::new(newest));
            self.sender.send_replace(Now::of(identity).map_err(|error| refused(error.to_string()))?);
            tracing::info!("took a newer revocation list");
        }
        Ok(Value::structure([
            ("taken", Value::Bool(news)),
            ("numbers", self.now().identity.revoked().numbers().into()),
        ]))
    }

    /// Believes the authorities of a newer statement, for which the newest authority that we believe vouches.
    pub(super) fn take_trust(&self, text: &[u8]) -> Result<Value, RemoteError> {
        let now = self.now();
        let fresh = now.identity.convinced_by(text).map_err(|error| refused(chain(&error)))?;
        let taken = fresh.is_some();
        if let Some(fresh) = fresh {
            // Whom we believe believes the same, and would refuse us.
            fresh.check_as_server(Timestamp::now()).map_err(|error| {
                refused(format!("by those authorities this minion's own certificate is not good: {}", chain(&error)))
            })?;
            let file = fresh.trust().map(|trust| trust.to_file()).unwrap_or_default();
            let (authorities, revoked) = (&self.files.authority, &self.files.revoked);
            durable::write_atomic(authorities, file.as_bytes(), 0o644)
                .map_err(|error| internal(authorities, &error))?;
            // What a crash leaves there of a retired authority is left aside when it is read.
            if fresh.revoked().numbers() != now.identity.revoked().numbers() {
                let lists = fresh.revoked().to_pem();
                durable::write_atomic(revoked, lists.as_bytes(), 0o644).map_err(|error| internal(revoked, &error))?;
            }
            let number = fresh.trust_number();
            self.sender.send_replace(Now::of(fresh).map_err(|error| refused(error.to_string()))?);
            tracing::info!(number, "took a newer statement of authorities");
        }
        let now = self.now();
        Ok(Value::structure([
            ("taken", Value::Bool(taken)),
            ("number", now.identity.trust_number().to_string().into()),
            ("serial", now.identity.peer().serial.to_string().into()),
        ]))
    }

    /// A request for another certificate, with a new key.
    pub(super) fn request(&self) -> Result<String, RemoteError> {
        let path = beside(&self.files.key, NEXT_KEY_FILE);
        let name: HostName =
            self.now().identity.peer().name.parse().map_err(|_| refused("this minion's name is no host's"))?;
        let failed = |error: crate::ca::Error| RemoteError::new("Internal", error.to_string());
        let key = SigningRequest::new_key().map_err(failed)?;
        durable::write_atomic(&path, key.as_bytes(), 0o600).map_err(|error| internal(&path, &error))?;
        SigningRequest::make_with(&name, &key).map_err(failed)
    }

    /// Serves with another certificate for the key of the last request.
    pub(super) fn install(&self, certificate: &str) -> Result<Value, RemoteError> {
        if certificate.len() > MOST_BYTES {
            return Err(refused("the certificate is too long"));
        }
        let now = self.now();
        let (next_key, next) =
            (beside(&self.files.key, NEXT_KEY_FILE), beside(&self.files.certificate, NEXT_CERTIFICATE_FILE));
        let read = |path: &Path| fs::read_to_string(path).map_err(|error| internal(path, &error));
        let (key, ca) = (read(&next_key)?, read(&self.files.authority)?);
        let unfit = |error: tls::Error| refused(chain(&error));
        let fresh = Identity::from_pem(certificate, &key, &ca).map_err(unfit)?;
        fresh.check_as_server(Timestamp::now()).map_err(unfit)?;
        let (old, new) = (now.identity.peer(), fresh.peer());
        if (&old.name, old.role) != (&new.name, new.role) {
            return Err(refused(format!("the certificate is of `{}`, not of `{}` in its role", new.name, old.name)));
        }
        durable::write_atomic(&next, certificate.as_bytes(), 0o644).map_err(|error| internal(&next, &error))?;
        finish(&self.files).map_err(|error| internal(&next, &error))?;
        let until = new.not_after.to_string();
        let identity = fresh.with_revoked(Arc::clone(now.identity.revoked()));
        tracing::info!(until, "serving with a new certificate");
        let serial = identity.peer().serial.to_string();
        self.sender.send_replace(Now::of(identity).map_err(unfit)?);
        Ok(Value::structure([("serial", serial.into()), ("until", until.into())]))
    }
}

pub(super) fn beside(path: &Path, name: &str) -> PathBuf {
    durable::folder_of(path).join(name)
}

fn read_list(identity: &Identity, text: &[u8], called: &Path) -> Result<RevocationList, RemoteError> {
    if text.len() > MOST_BYTES {
        return Err(refused("the revocation list is too long"));
    }
    identity
        .read_revocations(text, called)
        .map_err(|error| refused(format!("what was sent is no list of our CA: {error}")))
}
