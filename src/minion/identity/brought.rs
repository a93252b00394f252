//! What overlords bring: revocation lists, statements of authorities, certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{finish, internal, refused};
use crate::{
    ca::SigningRequest,
    ids::HostName,
    sys::durable,
    telemetry::chain,
    tls::{self, Change, Identity, NEXT_CERTIFICATE_FILE, NEXT_KEY_FILE, RevocationList},
    wire::{RemoteError, Value},
};

/// The longest text that is read as a certificate or a list.
const MOST_BYTES: usize = 4 << 20;

/// Takes the newer list of each authority.
pub(super) fn take_lists(change: &Change<'_>, text: &[u8]) -> Result<Value, RemoteError> {
    let now = change.identity();
    let path = &change.files().revoked;
    let fresh = read_lists(&now, text, path)?;
    let in_force = now.revoked();
    let news = fresh.is_news_for(&in_force.numbers());
    if news {
        let newest = fresh.newest_of(in_force);
        durable::write_atomic(path, newest.to_pem().as_bytes(), 0o644).map_err(|error| internal(path, &error))?;
        replace(change, now.with_revoked(Arc::new(newest)))?;
        tracing::info!("took a newer revocation list");
    }
    Ok(Value::structure([("taken", Value::Bool(news)), ("numbers", change.identity().revoked().numbers().into())]))
}

/// Believes the authorities of a newer statement, for which the newest authority that we believe vouches.
pub(super) fn take_trust(change: &Change<'_>, text: &[u8]) -> Result<Value, RemoteError> {
    let now = change.identity();
    let fresh = now.convinced_by(text).map_err(|error| unfit(&error))?;
    let taken = fresh.is_some();
    if let Some(fresh) = fresh {
        // Whom we believe believes the same, and would refuse us.
        fresh.check_as_server(Timestamp::now()).map_err(|error| {
            refused(format!("by those authorities this minion's own certificate is not good: {}", chain(&error)))
        })?;
        let file = fresh.trust().map(|trust| trust.to_file()).unwrap_or_default();
        let (authorities, revoked) = (&change.files().authority, &change.files().revoked);
        durable::write_atomic(authorities, file.as_bytes(), 0o644).map_err(|error| internal(authorities, &error))?;
        // What a crash leaves there of a retired authority is left aside when it is read.
        if fresh.revoked().numbers() != now.revoked().numbers() {
            let lists = fresh.revoked().to_pem();
            durable::write_atomic(revoked, lists.as_bytes(), 0o644).map_err(|error| internal(revoked, &error))?;
        }
        let number = fresh.trust_number();
        replace(change, fresh)?;
        tracing::info!(number, "took a newer statement of authorities");
    }
    let now = change.identity();
    Ok(Value::structure([
        ("taken", Value::Bool(taken)),
        ("number", now.trust_number().to_string().into()),
        ("serial", now.peer().serial.to_string().into()),
    ]))
}

/// A request for another certificate, with a new key, and behind it our word that it is ours: it may travel through others.
pub(super) fn request(change: &Change<'_>) -> Result<String, RemoteError> {
    let path = beside(&change.files().key, NEXT_KEY_FILE);
    let identity = change.identity();
    let name: HostName = identity.peer().name.parse().map_err(|_| refused("this minion's name is no host's"))?;
    let failed = |error: &dyn std::error::Error| RemoteError::new("Internal", chain(error));
    let key = SigningRequest::new_key().map(Zeroizing::new).map_err(|error| failed(&error))?;
    durable::write_atomic(&path, key.as_bytes(), 0o600).map_err(|error| internal(&path, &error))?;
    let request = SigningRequest::make_with(&name, &key).map_err(|error| failed(&error))?;
    let made = SigningRequest::from_pem(request.as_bytes()).map_err(|error| failed(&error))?;
    let word = identity.vouch_for(made.der()).map_err(|error| failed(&error))?;
    Ok(format!("{request}{word}"))
}

/// Serves with another certificate for the key of the last request.
pub(super) fn install(change: &Change<'_>, certificate: &str) -> Result<Value, RemoteError> {
    if certificate.len() > MOST_BYTES {
        return Err(refused("the certificate is too long"));
    }
    let (now, files) = (change.identity(), change.files());
    let (next_key, next) = (beside(&files.key, NEXT_KEY_FILE), beside(&files.certificate, NEXT_CERTIFICATE_FILE));
    let read = |path: &Path| fs::read_to_string(path).map(Zeroizing::new).map_err(|error| internal(path, &error));
    let (key, ca) = (read(&next_key)?, read(&files.authority)?);
    let fresh = Identity::from_pem(certificate, &key, &ca).map_err(|error| unfit(&error))?;
    fresh.check_as_server(Timestamp::now()).map_err(|error| unfit(&error))?;
    let (old, new) = (now.peer(), fresh.peer());
    if (&old.name, old.role) != (&new.name, new.role) {
        return Err(refused(format!("the certificate is of `{}`, not of `{}` in its role", new.name, old.name)));
    }
    durable::write_atomic(&next, certificate.as_bytes(), 0o644).map_err(|error| internal(&next, &error))?;
    finish(files).map_err(|error| internal(&next, &error))?;
    let (serial, until) = (new.serial.to_string(), new.not_after.to_string());
    tracing::info!(until, "serving with a new certificate");
    replace(change, fresh.with_revoked(Arc::clone(now.revoked())))?;
    Ok(Value::structure([("serial", serial.into()), ("until", until.into())]))
}

fn replace(change: &Change<'_>, identity: Identity) -> Result<(), RemoteError> {
    change.replace(identity).map_err(|error| unfit(&error))
}

pub(super) fn beside(path: &Path, name: &str) -> PathBuf {
    durable::folder_of(path).join(name)
}

fn read_lists(identity: &Identity, text: &[u8], called: &Path) -> Result<RevocationList, RemoteError> {
    if text.len() > MOST_BYTES {
        return Err(refused("the revocation list is too long"));
    }
    identity
        .read_revocations(text, called)
        .map_err(|error| refused(format!("what was sent is no list of our CA: {error}")))
}

fn unfit(error: &tls::Error) -> RemoteError {
    refused(chain(error))
}
