//! Who is reached through whom.
//!
//! Each minion that is an overlord itself is asked for its own map, and asks its minions in turn. It is told who asked, so
//! that a ring is found and ends: whoever stands on the way already is not asked again. What comes is a tree, in which a host
//! that is reached on several ways stands several times; a call takes the shortest, and of equal ones the first by name.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    time::Duration,
};

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::{Fleet, MAP, MOST_HOPS, Outcome, Request};
use crate::{
    ca::{Host, Inventory},
    config,
    ids::HostName,
    sys::durable,
    wire::{Call, Value},
};

/// So many are asked at a time.
const WIDTH: usize = 64;

/// Hosts, and those behind each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(pub BTreeMap<HostName, Tree>);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetMap {
    /// Ways that come back to where they were: the last name stands on them before.
    pub rings: BTreeSet<Vec<HostName>>,
    /// Who could not be asked, and why: whoever is behind them is not known.
    pub silent: BTreeMap<HostName, String>,
    /// Everybody else.
    pub hosts: Tree,
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
        match config::load(path) {
            Err(config::Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            other => other.map_err(MapError::Read),
        }
    }

    /// Writes it, whole and durably.
    pub fn save(&self, path: &Path) -> Result<(), MapError> {
        const HEAD: &str = "# Who is reached through whom, as `func map build` found it.\n";
        let failed = |source| MapError::Write { path: path.to_owned(), source };
        let body = toml::to_string(self).map_err(|error| failed(std::io::Error::other(error)))?;
        durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
        durable::write_atomic(path, format!("{HEAD}{body}").as_bytes(), 0o644).map_err(failed)
    }

    /// The hosts that are in no inventory and are reached through one that is, each on its shortest way.
    pub fn routed(&self, inventory: &Inventory) -> Vec<Host> {
        self.ways()
            .into_iter()
            .filter(|(name, via)| !via.is_empty() && inventory.address(name).is_none())
            .filter_map(|(name, via)| {
                let address = inventory.address(via.first()?)?.clone();
                Some(Host { name, address: address.through(via) })
            })
            .collect()
    }

    /// The shortest way to each host: through whom.
    pub fn ways(&self) -> BTreeMap<HostName, Vec<HostName>> {
        let mut ways = BTreeMap::new();
        let mut next = VecDeque::from([(Vec::new(), &self.hosts)]);
        while let Some((via, tree)) = next.pop_front() {
            for (name, behind) in &tree.0 {
                ways.entry(name.clone()).or_insert_with(|| via.clone());
                let on: Vec<HostName> = via.iter().cloned().chain([name.clone()]).collect();
                next.push_back((on, behind));
            }
        }
        ways
    }

    /// As it is told to whoever asks.
    pub fn to_value(&self) -> Value {
        let names = |ring: &Vec<HostName>| Value::Array(ring.iter().map(|name| name.as_str().into()).collect());
        let silent = self.silent.iter().map(|(name, why)| (name.to_string(), Value::from(why.as_str())));
        Value::structure([
            ("hosts", self.hosts.to_value()),
            ("rings", Value::Array(self.rings.iter().map(names).collect())),
            ("silent", Value::Struct(silent.collect())),
        ])
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Struct(mut told) = value else { return None };
        let (Value::Array(rings), Value::Struct(silent)) = (told.remove("rings")?, told.remove("silent")?) else {
            return None;
        };
        let silent = silent.into_iter().map(|(name, why)| Some((name.parse().ok()?, why.as_str()?.to_owned())));
        Some(Self {
            hosts: Tree::from_value(told.remove("hosts")?, 0)?,
            rings: rings.into_iter().map(names_of).collect::<Option<_>>()?,
            silent: silent.collect::<Option<_>>()?,
        })
    }
}

/// Names out of a list.
fn names_of(list: Value) -> Option<Vec<HostName>> {
    let Value::Array(list) = list else { return None };
    list.iter().map(|name| name.as_str()?.parse().ok()).collect()
}

impl Tree {
    fn to_value(&self) -> Value {
        Value::Struct(self.0.iter().map(|(name, behind)| (name.to_string(), behind.to_value())).collect())
    }

    fn from_value(value: Value, depth: usize) -> Option<Self> {
        let Value::Struct(members) = value else { return None };
        if depth > MOST_HOPS {
            return None;
        }
        let one = |(name, behind): (String, Value)| Some((name.parse().ok()?, Self::from_value(behind, depth + 1)?));
        members.into_iter().map(one).collect::<Option<_>>().map(Self)
    }
}

impl Fleet {
    /// Asks these hosts whom they reach; `asked_by` stand on the way here.
    pub async fn map(&self, hosts: Vec<Host>, asked_by: &[HostName], timeout: Duration) -> FleetMap {
        let mut map = FleetMap::default();
        let (ring, hosts): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| asked_by.contains(&host.name));
        map.rings.extend(ring.into_iter().map(|host| asked_by.iter().cloned().chain([host.name]).collect::<Vec<_>>()));
        let far = asked_by.len() >= MOST_HOPS;
        let questions = hosts.into_iter().map(|host| async move {
            let way = asked_by.iter().map(|name| name.as_str().into()).collect();
            let question = Request::new(&Call::new(MAP, vec![Value::Array(way)])).timeout(timeout);
            // Nobody passes a call on so far.
            let answer =
                if far { Outcome::Ok(FleetMap::default().to_value()) } else { self.call(&host, &question).await };
            (host.name, answer)
        });
        let mut answers = stream::iter(questions).buffer_unordered(WIDTH);
        while let Some((name, answer)) = answers.next().await {
            let behind = match answer {
                Outcome::Ok(value) => FleetMap::from_value(value),
                // It is a minion and nothing else, or tells us nothing.
                Outcome::Failed(_) => Some(FleetMap::default()),
                other => {
                    map.silent.insert(name.clone(), other.why().unwrap_or_default());
                    None
                }
            };
            let FleetMap { rings, silent, hosts } = behind.unwrap_or_default();
            map.rings.extend(rings);
            map.silent.extend(silent);
            map.hosts.0.insert(name, hosts);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    fn tree(text: &str) -> Tree {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_host_on_two_ways_is_reached_on_the_shorter() {
        let map = FleetMap { hosts: tree("[a.b.leaf]\n[c.leaf]\n[d.leaf]\n[b]\n"), ..FleetMap::default() };
        let ways = map.ways();
        assert_eq!(ways[&name("leaf")], [name("c")], "the first of two equal ones");
        assert_eq!(ways[&name("b")], [], "directly");
        let inventory: Inventory = toml::from_str("[hosts]\nc = \"10.0.0.1:1\"\nb = \"10.0.0.2:1\"\n").unwrap();
        let routed = map.routed(&inventory);
        assert_eq!(routed.len(), 1, "{routed:?}");
        assert_eq!((routed[0].name.as_str(), routed[0].address.to_string().as_str()), ("leaf", "10.0.0.1:1 via c"));
    }

    #[test]
    fn it_is_kept_and_told_as_it_is() {
        let map = FleetMap {
            rings: [vec![name("a"), name("b"), name("a")]].into(),
            silent: [(name("x.example"), "gone".to_owned())].into(),
            hosts: tree("[a.b]\n[\"x.example\"]\n"),
        };
        assert_eq!(FleetMap::from_value(map.to_value()), Some(map.clone()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.toml");
        assert_eq!(FleetMap::load(&path).unwrap(), FleetMap::default());
        map.save(&path).unwrap();
        assert_eq!(FleetMap::load(&path).unwrap(), map);
    }
}
