//! What the operator allows each module to touch.
//!
//! A module only *asks*; these tables of the minion's configuration *grant*. Nothing is granted by
//! default, and everything a module does to its host is checked against them at the moment of the
//! call:
//!
//! ```toml
//! [grants.disk]
//! run = ["/bin/df", "lsblk"]
//! read = ["/proc/mounts", "/sys/block/**"]
//! write = []
//! ```
//!
//! The table is named after the module, by its short name or in full (`[grants."acme:disk/disk"]`).
//! Paths are absolute and may be globs: `*` stays inside one folder, `**` does not, and `/srv/**`
//! covers `/srv` itself. A program is an absolute path, or a bare name that is looked up on a fixed
//! search path (never on that of a caller or of the daemon). As `{ program = "systemctl", args =
//! ["status", "*"] }` it may be given only such arguments, with `options = ["--lines=*"]` after such options:
//! see [`Arguments`].
//!
//! A program that changes nothing may be granted as `{ program = "df", read-only = true }`: then a check of
//! a call (see `plugin`) runs it, where it only notes others.
//!
//! With `signer = "ops"` or `digest = "sha256:…"` a table holds only for modules that this signer signed,
//! or for this very file.

mod arguments;
mod bound;
mod command;
mod grant;
mod missing;
mod names;
mod network;
mod path;
mod pattern;
mod variables;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::signers::{Provenance, SignerName};
use crate::ids::{Digest, ModuleName};
use bound::Bound;

pub use arguments::Arguments;
pub use command::CommandGrant;
pub use grant::Grant;
pub use names::{ServiceGrant, SignalGrant};
pub use network::{NetworkGrant, reserved};
pub use path::PathGrant;
pub use variables::{VariableGrant, changes_programs};

/// The grants of every module, as the minion's configuration lists them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(BTreeMap<ModuleName, Bound>);

/// Which module a call is to, of which file and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// The module's short name.
    pub short: &'a ModuleName,
    /// Its full name.
    pub full: &'a ModuleName,
    /// The digest of its file, where that is known.
    pub digest: Option<Digest>,
    /// Who signed it.
    pub provenance: &'a Provenance,
}

impl Grants {
    /// What a module may do of whose file nothing is known: no table holds that is bound to a signer or to
    /// a file.
    pub fn for_module(&self, short: &ModuleName, full: &ModuleName) -> Grant {
        self.for_bearer(Bearer { short, full, digest: None, provenance: &Provenance::Unsigned })
    }

    /// What a module may do: the table under its short name together with the one under its full
    /// name, as far as they hold for it.
    pub fn for_bearer(&self, bearer: Bearer<'_>) -> Grant {
        let mut grant = Grant::default();
        for bound in self.tables(bearer).filter(|bound| bound.holds_for(bearer)) {
            grant.extend(bound.grant());
        }
        grant
    }

    /// Why tables with the module's name do not hold for it.
    pub fn withheld(&self, bearer: Bearer<'_>) -> Vec<String> {
        self.tables(bearer).filter_map(|bound| bound.unmet(bearer)).collect()
    }

    fn tables(&self, bearer: Bearer<'_>) -> impl Iterator<Item = &Bound> {
        let full = Some(bearer.full).filter(|full| *full != bearer.short);
        [Some(bearer.short), full].into_iter().flatten().filter_map(|name| self.0.get(name))
    }

    /// Adds to what a module may do, whoever signed it.
    pub fn grant(&mut self, module: ModuleName, more: Grant) {
        self.0.entry(module).or_default().extend(more);
    }

    /// The modules that have a table.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleName> {
        self.0.keys()
    }

    /// The signers that tables are bound to, each with the table's name.
    pub fn signers(&self) -> impl Iterator<Item = (&ModuleName, &SignerName)> {
        self.0.iter().filter_map(|(module, bound)| Some((module, bound.signer.as_ref()?)))
    }
}

/// A text in a table of grants that grants nothing sensible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be granted: {why}")]
pub struct InvalidGrant {
    text: String,
    why: String,
}

impl InvalidGrant {
    fn new(text: &str, why: impl Into<String>) -> Self {
        Self { text: text.to_owned(), why: why.into() }
    }
}

#[cfg(test)]
mod tests;
