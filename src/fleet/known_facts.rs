//! What is known of hosts here, from the last time that they were asked: a cache, in one file.
//!
//! It chooses hosts (`os_id=debian`); whether a host is still so, only the host knows, and `--filter` asks it. A file that
//! cannot be read is told of and counts as empty: asking the fleet makes it anew.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ids::HostName,
    sys::{durable, lock},
    wire::{Facts, Value},
};

/// What hosts said of themselves, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownFacts(BTreeMap<HostName, HostFacts>);

/// What one host said of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct HostFacts {
    /// When.
    pub at: Timestamp,
    /// What.
    pub facts: Facts,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Stored {
    at: Timestamp,
    facts: serde_json::Map<String, serde_json::Value>,
}

impl KnownFacts {
    /// Reads the file. One that is not there, or makes no sense, knows nothing.
    pub fn load(path: &Path) -> Result<Self, FactsError> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|source| FactsError::Read { path: path.to_owned(), source })?,
        };
        let stored: BTreeMap<HostName, Stored> = serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the known facts cannot be read; ask for them again");
            BTreeMap::new()
        });
        let read = |(host, stored): (HostName, Stored)| {
            let facts = stored.facts.iter().map(|(name, value)| (name.clone(), Value::from_json(value))).collect();
            (host, HostFacts { at: stored.at, facts })
        };
        Ok(Self(stored.into_iter().map(read).collect()))
    }

    /// Enters what hosts have said now, and forgets those that are not `known` any more, while no other process does.
    pub fn update(path: &Path, told: Vec<(HostName, Facts)>, known: &[HostName]) -> Result<(), FactsError> {
        let failed = |source| FactsError::Write { path: path.to_owned(), source };
        durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
        let file = lock::open_lock_file(&path.with_extension("lock")).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut all = Self::load(path)?;
        let at = Timestamp::now();
        all.0.extend(told.into_iter().map(|(host, facts)| (host, HostFacts { at, facts })));
        all.0.retain(|host, _| known.contains(host));
        let stored: BTreeMap<&HostName, Stored> = all
            .0
            .iter()
            .map(|(host, known)| {
                let facts = known.facts.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
                (host, Stored { at: known.at, facts })
            })
            .collect();
        let text = serde_json::to_vec(&stored).map_err(|error| failed(io::Error::other(error)))?;
        durable::write_atomic(path, &text, 0o600).map_err(failed)
    }

    /// What is known of a host.
    pub fn of(&self, host: &HostName) -> Option<&HostFacts> {
        self.0.get(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_kept_until_their_host_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.json");
        let host = |name: &str| name.parse::<HostName>().unwrap();
        let facts = |cpus: i64| Facts::from([("cpus".to_owned(), Value::Int(cpus))]);
        let known = [host("a"), host("b")];
        KnownFacts::update(&path, vec![(host("a"), facts(1)), (host("b"), facts(2))], &known).unwrap();
        KnownFacts::update(&path, vec![(host("a"), facts(3))], &known).unwrap();
        let read = KnownFacts::load(&path).unwrap();
        assert_eq!((&read.of(&host("a")).unwrap().facts, &read.of(&host("b")).unwrap().facts), (&facts(3), &facts(2)));
        KnownFacts::update(&path, vec![], &known[..1]).unwrap();
        assert!(KnownFacts::load(&path).unwrap().of(&host("b")).is_none());
        std::fs::write(&path, "{").unwrap();
        assert_eq!(KnownFacts::load(&path).unwrap(), KnownFacts::default());
    }
}
