//! Who is reached through whom.
//!
//! ```text
//! inventory ──▶ asked (overlord.map) ──▶ passes calls on: those that it names are asked through it, each once in all
//!                                    ├─▶ plain: it passes nothing on
//!                                    └─▶ silent: it did not answer, or what it answered cannot be used
//! ```
//!
//! *Nobody is left out silently.* Of who is silent, what it said last is kept with its age: those behind it stay on the map, are
//! not confirmed, and a call counts them. Whoever never said anything is told of: who is behind it is not known.
//!
//! What comes is a graph. A host that is reached on several ways is called on the shortest of those on which nobody is silent,
//! and of equal ones on the first by name; one of the inventory is called directly, whoever else names it. Each is asked once,
//! however many name it, so a fleet in which everybody reaches everybody costs no more than any other. What one may name and what
//! fits on the map is bounded; whoever names more is silent, and told of.

mod survey;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::ways::Tree;
use crate::{
    ca::{Host, Inventory},
    config,
    ids::HostName,
};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetMap {
    /// Those of the inventory.
    pub direct: BTreeSet<HostName>,
    /// Those that pass nothing on, as they said last.
    pub plain: BTreeSet<HostName>,
    /// Who could not be asked, and why.
    pub silent: BTreeMap<HostName, String>,
    /// Those that pass calls on, as they said last.
    pub overlords: BTreeMap<HostName, Reach>,
}

/// Whom one that passes calls on reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// When it said so.
    pub told: Timestamp,
    /// Whom.
    pub hosts: BTreeSet<HostName>,
}

/// Why the map cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// The file is not one.
    #[error("the map of the fleet cannot be used; make it anew with `func map build`")]
    Read(#[source] config::Error),
    /// It cannot be kept.
    #[error("cannot write the map of the fleet `{}`", path.display())]
    Write {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl FleetMap {
    /// Reads the file. One that is not there shows nobody.
    pub fn load(path: &Path) -> Result<Self, MapError> {
        config::load_or_default(path).map_err(MapError::Read)
    }

    /// Writes it, whole and durably.
    pub fn save(&self, path: &Path) -> Result<(), MapError> {
        let head = "Who is reached through whom, as `func map build` found it.";
        config::save(self, head, path).map_err(|source| MapError::Write { path: path.to_owned(), source })
    }

    /// The hosts that are in no inventory and are reached through one that is, each on its way.
    pub fn routed(&self, inventory: &Inventory) -> Vec<Host> {
        self.ways_from(inventory.hosts().into_iter().map(|host| host.name))
            .into_iter()
            .filter_map(|(name, via)| {
                let address = inventory.address(via.first()?)?.clone();
                Some(Host { name, address: address.through(via) })
            })
            .collect()
    }

    /// Those that are behind somebody who is silent, with when that one said so.
    pub fn unconfirmed(&self) -> BTreeMap<HostName, Timestamp> {
        let told = |name: &HostName| Some(self.overlords.get(name).filter(|_| self.silent.contains_key(name))?.told);
        let since = |(name, via): (HostName, Vec<HostName>)| Some((name, via.iter().filter_map(told).min()?));
        self.ways().into_iter().filter_map(since).collect()
    }

    /// Those that have never said whether they pass calls on: nobody knows who is behind them.
    pub fn unknown(&self) -> BTreeSet<&HostName> {
        let heard = |name: &&HostName| self.overlords.contains_key(*name) || self.plain.contains(*name);
        self.silent.keys().filter(|name| !heard(name)).collect()
    }

    /// Those that another map has, and this one has not.
    pub fn gone_since(&self, before: &Self) -> BTreeSet<HostName> {
        let (now, before) = (self.ways(), before.ways());
        before.into_keys().filter(|name| !now.contains_key(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_as_it_is() {
        let name = |text: &str| text.parse::<HostName>().unwrap();
        let reach = Reach { told: "2026-01-02T03:04:05Z".parse().unwrap(), hosts: [name("b")].into() };
        let map = FleetMap {
            direct: [name("a"), name("x.example")].into(),
            plain: [name("b")].into(),
            silent: [(name("x.example"), "gone".to_owned())].into(),
            overlords: [(name("a"), reach)].into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.toml");
        assert_eq!(FleetMap::load(&path).unwrap(), FleetMap::default());
        map.save(&path).unwrap();
        assert_eq!(FleetMap::load(&path).unwrap(), map);
    }
}
