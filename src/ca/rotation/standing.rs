//! Whose certificate is whose, and who would be left behind.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{Held, Rotation};
use crate::{
    ca::{Authority, Entry, Error, authority::CERTIFICATE, lock},
    ids::{Digest, HostName, Serial},
    tls::{ENROLMENT_NAME, Role},
};

/// Somebody who would be left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Straggler {
    /// Who.
    pub name: HostName,
    /// Why.
    pub why: Left,
}

/// Why somebody would be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// It has not said that it holds the statement.
    Statement,
    /// Its certificate is of the old authority.
    Certificate,
}

impl Authority {
    /// Which authority issued a certificate.
    pub(in crate::ca) fn issuer_of(&self, entry: &Entry) -> Digest {
        let first = || self.rotation.as_ref().map(|rotation| rotation.first);
        entry.issuer.or_else(first).unwrap_or_else(|| self.fingerprint())
    }

    /// Whether the present authority issued it.
    pub fn is_own(&self, entry: &Entry) -> bool {
        self.issuer_of(entry) == self.fingerprint()
    }

    /// Whether its issuer is believed still.
    pub fn is_believed(&self, entry: &Entry) -> bool {
        let issuer = self.issuer_of(entry);
        issuer == self.fingerprint() || self.earlier.as_ref().is_some_and(|earlier| earlier.fingerprint() == issuer)
    }

    /// Those of `hosts` that the switch would have to leave behind.
    pub fn not_told(&self, hosts: &[HostName]) -> Result<Vec<HostName>, Error> {
        let number = self.trust()?.map_or(0, |trust| trust.number());
        let held = |name: &HostName| self.rotation.as_ref()?.hosts.get(name).map(|held| held.number);
        Ok(hosts.iter().filter(|name| held(name).is_none_or(|held| held < number)).cloned().collect())
    }

    /// Who would not be believed any more: by the index, whoever has a certificate of the old authority that holds and none
    /// of the new; and of `hosts` those that do not hold a new one by their own word, or did not get the statement.
    pub fn stragglers(&self, hosts: &[HostName]) -> Result<Vec<Straggler>, Error> {
        let (issued, revoked, now) = (self.issued()?, self.revoked()?, Timestamp::now());
        let live = |entry: &&Entry| entry.not_after > now && !revoked.contains(&entry.serial);
        let mut safe: BTreeMap<(&HostName, Role), bool> = BTreeMap::new();
        let mut own: BTreeSet<&Serial> = BTreeSet::new();
        for entry in issued.iter().filter(live).filter(|entry| entry.name.as_str() != ENROLMENT_NAME) {
            let is_own = self.is_own(entry);
            if is_own {
                own.insert(&entry.serial);
            }
            if self.is_believed(entry) {
                *safe.entry((&entry.name, entry.role)).or_default() |= is_own;
            }
        }
        let mut left: BTreeMap<HostName, Left> = BTreeMap::new();
        left.extend(safe.into_iter().filter(|(_, safe)| !safe).map(|((name, _), _)| (name.clone(), Left::Certificate)));
        let held = self.rotation.as_ref().map(|rotation| &rotation.hosts);
        for host in hosts {
            let held = held.and_then(|hosts| hosts.get(host));
            if held.is_none_or(|held| !own.contains(&held.serial)) {
                left.insert(host.clone(), Left::Certificate);
            }
        }
        for host in self.not_told(hosts)? {
            left.insert(host, Left::Statement);
        }
        Ok(left.into_iter().map(|(name, why)| Straggler { name, why }).collect())
    }

    /// Notes what minions have said that they hold.
    pub fn note_held(&self, held: impl IntoIterator<Item = (HostName, u64, Serial)>) -> Result<Self, Error> {
        let folder = self.folder()?;
        let lock = lock::hold(&folder.join(CERTIFICATE))?;
        if let Some(mut rotation) = Rotation::load(folder)? {
            let at = Timestamp::now();
            rotation.hosts.extend(held.into_iter().map(|(name, number, serial)| (name, Held { number, serial, at })));
            rotation.save(folder)?;
        }
        drop(lock);
        self.reopened()
    }
}
