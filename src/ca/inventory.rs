//! Where the minions are.
//!
//! ```toml
//! [hosts]
//! db1 = "10.0.0.7:51234"
//! "web1.example" = "web1.example:51234"
//! ```

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{Address, Error, lock};
use crate::{config, ids::HostName, sys::durable};

/// A minion and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The name in its certificate.
    pub name: HostName,
    /// Where to connect.
    pub address: Address,
}

/// Every known minion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    #[serde(default)]
    hosts: BTreeMap<HostName, Address>,
}

impl Inventory {
    /// Reads the file. One that is not there holds no hosts.
    pub fn load(path: &Path) -> Result<Self, Error> {
        config::load_or_default(path).map_err(Error::Inventory)
    }

    /// Writes the file, whole and durably.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let head = "The minions of this fleet: the name in the certificate, and where it listens.";
        config::save(self, head, path).map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    /// Loads the file, changes it and saves it, while no other process does.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
        let _lock = lock::hold(path)?;
        let mut inventory = Self::load(path)?;
        change(&mut inventory)?;
        inventory.save(path)
    }

    /// Adds a host, or moves a known one to another address.
    pub fn add(&mut self, name: HostName, address: Address) {
        self.hosts.insert(name, address);
    }

    /// Forgets a host.
    pub fn remove(&mut self, name: &HostName) -> Option<Address> {
        self.hosts.remove(name)
    }

    /// Where a host listens.
    pub fn address(&self, name: &HostName) -> Option<&Address> {
        self.hosts.get(name)
    }

    /// The other hosts that listen at the address of this one: one of the entries is likely a slip.
    pub fn also_at(&self, name: &HostName) -> Vec<HostName> {
        let at = self.hosts.get(name);
        let others = self.hosts.iter().filter(|(other, address)| *other != name && Some(*address) == at);
        others.map(|(other, _)| other.clone()).collect()
    }

    /// Every host, by name.
    pub fn hosts(&self) -> Vec<Host> {
        let host = |(name, address): (&HostName, &Address)| Host { name: name.clone(), address: address.clone() };
        self.hosts.iter().map(host).collect()
    }

    /// How many hosts there are.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }
}

impl FromIterator<Host> for Inventory {
    fn from_iter<I: IntoIterator<Item = Host>>(hosts: I) -> Self {
        Self { hosts: hosts.into_iter().map(|host| (host.name, host.address)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, address: &str) -> (HostName, Address) {
        (name.parse().unwrap(), address.parse().unwrap())
    }

    #[test]
    fn hosts_survive_saving_and_keep_one_address_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/inventory.toml");
        assert!(Inventory::load(&path).unwrap().is_empty());
        for (name, address) in [host("web1.example", "web1"), host("db1", "10.0.0.7:80"), host("db1", "[::1]:81")] {
            let add = |inventory: &mut Inventory| {
                inventory.add(name, address);
                Ok(())
            };
            Inventory::update(&path, add).unwrap();
        }
        let inventory = Inventory::load(&path).unwrap();
        let found: Vec<_> = inventory.hosts().iter().map(|h| format!("{} {}", h.name, h.address)).collect();
        assert_eq!(found, ["db1 [::1]:81", "web1.example web1:51234"]);
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory.toml");
        std::fs::write(&path, "[hosts]\nweb1 = \"no address\"\n").unwrap();
        let error = Inventory::load(&path).unwrap_err();
        let text = std::error::Error::source(&error).unwrap().to_string();
        assert!(text.contains("line 2") && text.contains("not an address"), "{text}");
    }
}
