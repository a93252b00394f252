//! How calls change a minion's identity and whom it believes, while [`InForce`] keeps both up with their files.
//!
//! ```text
//! identity.crl ──signed by our CA, newer──▶ crl.pem
//! identity.trust ──vouched for by the newest authority, newer──▶ ca.pem, crl.pem of the authorities that stay
//! identity.csr ──▶ next-key.pem           a new key, which never leaves this machine; the old one vouches for the request
//! identity.install ──▶ next-cert.pem      decided: from here on a crash ends with the new identity
//!                  ──▶ key.pem, cert.pem  by two renames, finished at the next start if need be
//! ```

mod brought;

#[cfg(test)]
mod tests;

use std::{io, path::Path};

use super::{builtin::Builtin, check};
use crate::{
    tls::{self, Identity, IdentityFiles, InForce, Role},
    wire::{RemoteError, Value},
};

/// This minion's identity, kept up with its files for as long as somebody asks.
pub(super) fn following(identity: Identity, files: &IdentityFiles) -> Result<InForce, tls::Error> {
    InForce::following(identity, files.clone(), |identity| Ok(check::fit(identity)?))
}

/// Answers a built-in method.
pub(super) async fn answer(
    in_force: &InForce,
    caller: Option<Role>,
    builtin: &'static Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    // What is signed needs no trust in whoever brings it. A certificate is, too, and is taken for our own key and name alone; but
    // each request undoes the one before.
    let may_renew = matches!(caller, Some(Role::Overlord | Role::SubOverlord));
    if !matches!(builtin.name, "identity.crl" | "identity.trust") && !may_renew {
        return Err(refused("only an overlord renews identities, or who passes its calls on"));
    }
    let Some(change) = in_force.change().await else {
        return Err(RemoteError::new("NotCallable", "a simulated minion keeps its identity"));
    };
    match builtin.name {
        "identity.crl" => {
            let [text] = builtin.args(params)?;
            brought::take_lists(&change, builtin.text(0, text)?.as_bytes())
        }
        "identity.trust" => {
            let [text] = builtin.args(params)?;
            brought::take_trust(&change, builtin.text(0, text)?.as_bytes())
        }
        "identity.csr" => {
            let [] = builtin.args(params)?;
            brought::request(&change).map(Value::from)
        }
        _ => {
            let [text] = builtin.args(params)?;
            brought::install(&change, &builtin.text(0, text)?)
        }
    }
}

/// Ends what an installation that broke off had decided: a certificate lies ready, and its key beside it or in its place.
pub(super) fn finish(files: &IdentityFiles) -> io::Result<()> {
    tls::finish_installation(&files.certificate, &files.key)
}

fn refused(why: impl Into<String>) -> RemoteError {
    RemoteError::new("Refused", why.into())
}

fn internal(path: &Path, error: &dyn std::error::Error) -> RemoteError {
    RemoteError::new("Internal", format!("`{}`: {error}", path.display()))
}
