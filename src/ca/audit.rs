//! What was done at the authority, by whom: one JSON line for each change and for each refusal, chained as a minion's log is
//! (see [`access`]).

use std::{net::IpAddr, path::Path};

use jiff::Timestamp;
use serde::Serialize;

use super::{Error, lock};
use crate::{
    access,
    ids::{Digest, HostName, Serial},
};

/// The log in the authority's folder.
pub const FILE: &str = "audit.jsonl";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Event {
    /// The authority was made.
    AuthorityMade,
    /// The next authority was made.
    RotationBegun,
    /// The next authority signs.
    RotationSwitched,
    /// The old authority was given up.
    RotationFinished,
    /// The next authority was given up.
    RotationAbandoned,
    /// The authority's key was sealed with a passphrase, another one, or none.
    PassphraseSet,
    /// A certificate was issued together with its key.
    Issued,
    /// A token was made.
    TokenMade,
    /// A machine asked and waits for the operator.
    Asked,
    /// A request was signed: by the operator, a token or a rule.
    Signed,
    /// The operator denied a request.
    Denied,
    /// A request was refused.
    Refused,
    /// A certificate was replaced over the identity that it proves.
    Renewed,
    /// Certificates were revoked.
    Revoked,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change<'a> {
    time: Timestamp,
    /// The user who ran the command.
    user: u32,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a HostName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a Serial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl<'a> Change<'a> {
    pub(super) fn new(event: Event) -> Self {
        let user = nix::unistd::getuid().as_raw();
        Self { time: Timestamp::now(), user, event, name: None, serial: None, key: None, from: None, why: None }
    }

    pub(super) fn of(mut self, name: &'a HostName) -> Self {
        self.name = Some(name);
        self
    }

    pub(super) fn serial(mut self, serial: &'a Serial) -> Self {
        self.serial = Some(serial);
        self
    }

    pub(super) fn key(mut self, key: Digest) -> Self {
        self.key = Some(key);
        self
    }

    pub(super) fn from(mut self, from: Option<IpAddr>) -> Self {
        self.from = from;
        self
    }

    pub(super) fn why(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }
}

/// Seals lines to the end of the log, durably.
pub(super) fn write(folder: &Path, changes: &[Change<'_>]) -> Result<(), Error> {
    let path = folder.join(FILE);
    // Writing JSON of plain data into memory cannot fail.
    let lines: Vec<_> = changes.iter().map(|change| serde_json::to_vec(change).unwrap_or_default()).collect();
    let _lock = lock::hold(&path)?;
    access::append_audit(&path, &lines).map_err(|source| Error::Write { path: path.clone(), source })
}
