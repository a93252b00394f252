//! What can go wrong at the certificate authority.

use std::{io, path::PathBuf};

use crate::ids::{HostName, Serial};

/// Why the authority could not do as it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is one already; its key may be all that a fleet trusts, so it is never replaced.
    #[error("there is a certificate authority in `{}` already; it is left as it is", path.display())]
    Exists {
        /// Its folder.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no certificate authority in `{}`; make one with `func ca init`", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key is sealed, and nothing opens it.
    #[error("`{}` is sealed with a passphrase, and signing needs it", path.display())]
    Sealed {
        /// The key's file.
        path: PathBuf,
    },
    /// The key is sealed with another passphrase.
    #[error("this is not the passphrase of `{}`", path.display())]
    WrongPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// The key could not be sealed.
    #[error("cannot seal the authority's key: {0}")]
    Seal(pkcs8::pkcs5::Error),
    /// Signing failed.
    #[error("cannot sign a certificate")]
    Sign(#[source] rcgen::Error),
    /// The system gave no random bytes.
    #[error("the system gives no random numbers")]
    Random,
    /// A certificate must be valid for some time.
    #[error("a certificate cannot be valid for {days} days; ask for 1 to {most}")]
    Days {
        /// What was asked for.
        days: u32,
        /// How long the CA itself lasts.
        most: u32,
    },
    /// Nothing was issued under this serial number.
    #[error("no certificate with the serial number {serial} was issued here")]
    NoSuchSerial {
        /// What was asked for.
        serial: Serial,
    },
    /// A name that is kept for the authority itself.
    #[error("`{name}` is the name of the authority's own door; choose another")]
    ReservedName {
        /// The name.
        name: HostName,
    },
    /// Nobody waits under this name.
    #[error("no request from `{name}` waits to be signed; list those that do with `func ca list --pending`")]
    NoRequest {
        /// The name.
        name: HostName,
    },
    /// A request that came through others, without the word of the machine itself for it.
    #[error(
        "`{name}` itself does not vouch for the request that came through others, so it may be somebody else's; see what \
         passes calls on to it, or update its minion"
    )]
    NotVouched {
        /// The name.
        name: HostName,
    },
    /// Two keys would have one name.
    #[error(
        "`{name}` has a certificate for another key; if it is to have a new one, run `func ca revoke {serial}` first"
    )]
    KnownName {
        /// The name.
        name: HostName,
        /// The certificate that it has.
        serial: Serial,
    },
    /// Another authority has taken its place since it was opened.
    #[error("the authority in `{}` was replaced meanwhile; run the command again", path.display())]
    Replaced {
        /// Its folder.
        path: PathBuf,
    },
    /// What is asked for makes no sense as far as the rotation is.
    #[error("the rotation of the authority is {stage}, so this cannot be done; see `func ca rotate --status`")]
    NoSuchStep {
        /// How far it is.
        stage: &'static str,
    },
    /// Hosts that would refuse certificates of the next authority.
    #[error("not everybody has been told of the next authority: {}", listed(hosts))]
    NotTold {
        /// Who has not.
        hosts: Vec<HostName>,
    },
    /// Holders of certificates that would end.
    #[error("these have no certificate of the new authority, and would not be believed any more: {}", listed(names))]
    LeftBehind {
        /// Who.
        names: Vec<HostName>,
    },
    /// The certificate of the door cannot be used.
    #[error("the authority's own door cannot be opened")]
    Door(#[source] crate::tls::Error),
    /// Only an authority on disk can publish a list.
    #[error("this authority lives in memory and has no folder for a revocation list")]
    NoFolder,
    /// The inventory cannot be understood.
    #[error("cannot use the inventory")]
    Inventory(#[source] crate::config::Error),
    /// Another process has held a file for too long.
    #[error("`{}` is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

fn listed(names: &[HostName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
