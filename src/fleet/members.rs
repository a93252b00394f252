//! Who is in which group, of one inventory.

use std::collections::{BTreeMap, HashSet};

use super::{GroupError, GroupName, HostFacts, KnownFacts, SourceStanding, Target, group_error::unknown};
use crate::ids::HostName;

/// The hosts of each group, of one inventory, and what is known of hosts.
#[derive(Debug, Default)]
pub struct Members {
    pub(super) groups: BTreeMap<GroupName, HashSet<HostName>>,
    /// Those of which it is not known whether they belong to a group, which is about facts then.
    pub(super) unsure: BTreeMap<GroupName, HashSet<HostName>>,
    pub(super) facts: KnownFacts,
    /// A source that has never told anything, and why.
    pub(super) silent: Option<(GroupName, String)>,
    /// Sources whose last answer stays because they have failed since.
    pub(super) stale: Vec<SourceStanding>,
}

impl Members {
    /// Whether a host is in a group; `None` if too little is known of it.
    pub(super) fn has(&self, group: &GroupName, host: &HostName) -> Option<bool> {
        let holds = |groups: &BTreeMap<GroupName, HashSet<HostName>>| {
            groups.get(group).is_some_and(|hosts| hosts.contains(host))
        };
        (!holds(&self.unsure)).then(|| holds(&self.groups))
    }

    /// Of no groups: what is known of hosts.
    pub fn without_groups(facts: KnownFacts) -> Self {
        Self { facts, ..Self::default() }
    }

    /// The sources whose last answer stays because they have failed since.
    pub fn stale(&self) -> &[SourceStanding] {
        &self.stale
    }

    /// What is known of a host.
    pub(super) fn facts_of(&self, host: &HostName) -> Option<&HostFacts> {
        self.facts.of(host)
    }

    /// How many hosts a group has.
    pub fn count(&self, group: &GroupName) -> usize {
        self.groups.get(group).map_or(0, HashSet::len)
    }

    /// That every group which a target names is there.
    pub(super) fn know(&self, target: &Target) -> Result<(), GroupError> {
        match target.groups().into_iter().find(|group| !self.groups.contains_key(group)) {
            Some(group) => Err(unknown(group, self.groups.keys(), self.silent.as_ref())),
            None => Ok(()),
        }
    }
}
