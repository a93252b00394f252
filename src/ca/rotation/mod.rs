//! Another authority in the place of the present one, while the fleet goes on.
//!
//! ```text
//!             begin              switch                        finish
//! (settled) ────────▶ spreading ─────────▶ (switching) ▶ switched ────────▶ (finishing) ▶ settled
//!                         └───── abandon ─▶ (abandoning) ▶ settled
//! ```
//!
//! | stage | who signs | minions and overlords believe | files beside `ca-key.pem`, `ca.pem` |
//! | --- | --- | --- | --- |
//! | settled | the present authority | it alone | none |
//! | spreading | the present one | both, as soon as they have the statement | `next-ca-key.pem`, `next-ca.pem`, `cross-ca.pem` |
//! | switched | the next one, which is the present one now | both | `old-ca-key.pem`, `old-ca.pem`, `cross-ca.pem` |
//! | settled again | the new one | it alone, as soon as they have the next statement | none |
//!
//! Whom to believe is told by a *statement* (see `tls::trust`) with a number that only grows. It is made and signed before
//! anything else happens, and written, together with the stage, in one step into `rotation.json`. That step decides:
//!
//! - A crash before it changes nothing. A next key that lies there already is used by the next attempt, for it may have been
//!   seen.
//! - A crash after it, in a stage in brackets, leaves files to be moved or removed. Whoever opens the authority next does
//!   that first, under the lock of `ca.pem`; every single move can be repeated. None of it needs a key or its passphrase.
//! - What minions hold is known from their own answers, and written down here; a lost note is asked for again.
//!
//! While minions may still believe the old authority alone, certificates of the new one carry `cross-ca.pem`: the new
//! authority's key, certified by the old. So nobody who has not heard of the change refuses anybody who has. It ends nothing:
//! who does not believe the old authority has no use for it.
//!
//! The old key signs revocation lists for its own certificates until the end, and is removed then.

mod lead;
mod stages;
mod standing;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::{
    ids::{Digest, HostName, Serial},
    sys::durable,
    tls::Trust,
};
pub(super) use stages::settle;
pub use standing::{Left, Straggler};

pub(super) const FILE: &str = "rotation.json";
pub(super) const NEXT_KEY: &str = "next-ca-key.pem";
pub(super) const NEXT_CERTIFICATE: &str = "next-ca.pem";
pub(super) const OLD_KEY: &str = "old-ca-key.pem";
pub(super) const OLD_CERTIFICATE: &str = "old-ca.pem";
pub(super) const CROSS: &str = "cross-ca.pem";

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Minions are told of the next authority.
    Spreading,
    /// The files change places.
    Switching,
    /// The next authority signs.
    Switched,
    /// The files of the old authority go.
    Finishing,
    /// The files of the next authority go.
    Abandoning,
    /// There is one authority.
    Settled,
}

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Begin,
    Switch,
    Finish,
    Abandon,
}

impl Stage {
    /// Where a step leads from here; nothing where it makes no sense.
    fn after(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Settled, Step::Begin) => Some(Self::Spreading),
            (Self::Spreading, Step::Switch) => Some(Self::Switching),
            (Self::Spreading, Step::Abandon) => Some(Self::Abandoning),
            (Self::Switched, Step::Finish) => Some(Self::Finishing),
            _ => None,
        }
    }

    /// Where it leads by itself, once the files have moved.
    fn settled(self) -> Self {
        match self {
            Self::Switching => Self::Switched,
            Self::Finishing | Self::Abandoning => Self::Settled,
            Self::Spreading | Self::Switched | Self::Settled => self,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spreading => "spreading",
            Self::Switching => "switching",
            Self::Switched => "switched",
            Self::Finishing => "finishing",
            Self::Abandoning => "abandoning",
            Self::Settled => "settled",
        }
    }
}

/// What a minion has said that it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The number of its last statement.
    pub number: u64,
    /// Its own certificate.
    pub serial: Serial,
    /// When it said so.
    pub at: Timestamp,
}

/// A rotation, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub began: Timestamp,
    /// The statements, as they are brought to everybody.
    statements: String,
    /// Which authority issued what the index names no issuer of: the one before issuers were written down.
    first: Digest,
    /// What the minions hold.
    #[serde(default)]
    pub hosts: BTreeMap<HostName, Held>,
    /// Whom the switch did not wait for.
    #[serde(default)]
    pub left_behind: BTreeSet<HostName>,
}

impl Rotation {
    /// Reads the file; nothing if there never was a rotation.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read { path, source }),
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|error| Error::Damaged { path, why: error.to_string() })
            }
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        durable::write_atomic(&path, &text, 0o600).map_err(|source| Error::Write { path, source })
    }

    /// The statements in force.
    pub(super) fn trust(&self, folder: &Path) -> Result<Arc<Trust>, Error> {
        let damaged = |why: String| Error::Damaged { path: folder.join(FILE), why };
        let trust = Trust::read(self.statements.as_bytes()).map_err(|error| damaged(error.to_string()))?;
        trust.ok_or_else(|| damaged("there is no statement in it".to_owned()))
    }

    /// Whether two authorities are believed at present.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Settled
    }
}
