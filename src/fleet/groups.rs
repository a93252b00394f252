//! Groups of hosts, as people write them down.
//!
//! ```toml
//! [groups]
//! web = ["web{1..20}.example", "proxy*"]
//! db = ["db1", "db2"]
//! production = ["@web", "@db and not *.test"]
//! ```
//!
//! A member is a target of its own, so groups hold groups, to any depth. One that holds itself, however far round, is
//! refused by name when the file is read.
//!
//! Programs can tell further groups. They are asked when somebody needs groups, and not again while their answer is fresh. A
//! group that the file has, too, is the file's.
//!
//! ```toml
//! [sources.cloud]
//! program = "/etc/func/cloud-groups"
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    GroupError, GroupName, KnownFacts, Members, Target,
    group_error::unknown,
    told_groups::{self, AllTold, Sources},
};
use crate::{
    ca::Host,
    config,
    ids::HostName,
    sys::{durable, lock},
};

/// Every group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    /// Those of the file.
    own: BTreeMap<GroupName, Vec<Target>>,
    sources: Sources,
    /// What the sources have told, once they were asked.
    told: Option<AllTold>,
    /// Whether they were not asked, however old that is.
    as_known: bool,
    /// The groups of the sources that the file does not have, and whose they are.
    others: BTreeMap<GroupName, (GroupName, Vec<Target>)>,
}

/// Which sources of groups are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking<'a> {
    /// Those whose answer is old.
    Stale,
    /// These, whatever is known of them; all if none are named.
    These(&'a [GroupName]),
    /// None: what is known is used, however old it is.
    Nobody,
}

/// How a source of groups stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStanding {
    /// Which.
    pub name: GroupName,
    /// When it answered last; nothing if it never has.
    pub at: Option<Timestamp>,
    /// When it failed, and why, if it has since.
    pub failed: Option<(Timestamp, String)>,
    /// Whether its answer is old, and nobody has asked it again.
    pub unasked: bool,
    /// What it told of groups that the file has, or a source before it, counts for nothing.
    pub hidden: Vec<GroupName>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    groups: BTreeMap<GroupName, Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sources: Sources,
}

impl Groups {
    /// Reads the file. One that is not there holds no groups.
    pub fn load(path: &Path) -> Result<Self, GroupError> {
        let file: File = config::load_or_default(path).map_err(GroupError::File)?;
        let mut groups = Self { sources: file.sources, ..Self::default() };
        for (group, members) in file.groups {
            let parse = |member: String| match member.parse() {
                Ok(target) => Ok(target),
                Err(source) => Err(GroupError::Member {
                    group: group.clone(),
                    member: member.escape_debug().take(80).collect(),
                    source,
                }),
            };
            let members = members.into_iter().map(parse).collect::<Result<_, _>>()?;
            groups.own.insert(group, members);
        }
        groups.order()?;
        Ok(groups)
    }

    /// Loads the file, changes it and saves it, while no other process does. What makes no sense is not saved.
    pub fn update<R>(path: &Path, change: impl FnOnce(&mut Self) -> Result<R, GroupError>) -> Result<R, GroupError> {
        const HEAD: &str = "Groups of hosts: each member is a target, so a group may hold others (`@web`).";
        let failed = |source| GroupError::Write { path: path.to_owned(), source };
        durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
        let file = lock::open_lock_file(&path.with_extension("lock")).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut groups = Self::load(path)?;
        let result = change(&mut groups)?;
        groups.order()?;
        let text = |members: &Vec<Target>| members.iter().map(|member| member.as_str().to_owned()).collect();
        let all = groups.own.iter().map(|(group, members)| (group.clone(), text(members))).collect();
        config::save(&File { groups: all, sources: groups.sources }, HEAD, path).map_err(failed)?;
        Ok(result)
    }

    /// With what its sources tell, whose answers are kept in `path`. Blocks while they are asked.
    pub fn with_sources(mut self, path: &Path, asking: Asking<'_>) -> Result<Self, GroupError> {
        if let Asking::These(names) = asking
            && let Some(name) = names.iter().find(|name| !self.sources.contains_key(name))
        {
            return Err(GroupError::NoSource { name: name.clone() });
        }
        let told = match asking {
            _ if self.sources.is_empty() => AllTold::new(),
            Asking::Nobody => told_groups::known(path, &self.sources),
            Asking::Stale => told_groups::ask(path, &self.sources, None)?,
            Asking::These(names) => told_groups::ask(path, &self.sources, Some(names))?,
        };
        for (source, told) in &told {
            for (group, members) in told.groups().filter(|(group, _)| !self.own.contains_key(group)) {
                self.others.entry(group).or_insert((source.clone(), members));
            }
        }
        self.told = Some(told);
        self.as_known = asking == Asking::Nobody;
        self.order()?;
        Ok(self)
    }

    /// Every group with its members, and the source that tells it.
    pub fn iter(&self) -> impl Iterator<Item = (&GroupName, &[Target], Option<&GroupName>)> {
        let own = self.own.iter().map(|(group, members)| (group, &members[..], None));
        own.chain(self.others.iter().map(|(group, (source, members))| (group, &members[..], Some(source))))
    }

    /// The members of a group, as they are written.
    pub fn members(&self, group: &GroupName) -> Result<&[Target], GroupError> {
        self.find(group).ok_or_else(|| unknown(group, self.names(), self.silent().as_ref()))
    }

    /// The source that tells a group.
    pub fn source_of(&self, group: &GroupName) -> Option<&GroupName> {
        self.others.get(group).map(|(source, _)| source)
    }

    /// How each source stands, once they were asked.
    pub fn standings(&self) -> Vec<SourceStanding> {
        let now = Timestamp::now();
        let standing = |(name, told): (&GroupName, &told_groups::Told)| {
            let hidden = told.groups().map(|(group, _)| group).filter(|group| self.source_of(group) != Some(name));
            let (at, failed, unasked) = (told.at, told.failed.clone(), self.as_known && told.is_old(now));
            SourceStanding { name: name.clone(), at, failed, unasked, hidden: hidden.collect() }
        };
        self.told.iter().flatten().map(standing).collect()
    }

    fn find(&self, group: &GroupName) -> Option<&[Target]> {
        let own = self.own.get(group);
        own.or_else(|| self.others.get(group).map(|(_, members)| members)).map(|members| &members[..])
    }

    fn names(&self) -> impl Iterator<Item = &GroupName> {
        self.own.keys().chain(self.others.keys())
    }

    fn silent(&self) -> Option<(GroupName, String)> {
        let silent = |(name, told): (&GroupName, &told_groups::Told)| {
            told.failed.clone().filter(|_| told.at.is_none()).map(|(_, why)| (name.clone(), why))
        };
        self.told.iter().flatten().find_map(silent)
    }

    /// Adds members to a group, which is made if it is new. Those that it has already are not repeated.
    pub fn add(&mut self, group: GroupName, members: Vec<Target>) {
        let present = self.own.entry(group).or_default();
        for member in members {
            if !present.contains(&member) {
                present.push(member);
            }
        }
    }

    /// Takes members out of a group, all of it if none are named. Answers those that it does not have.
    pub fn remove(&mut self, group: &GroupName, members: &[Target]) -> Result<Vec<Target>, GroupError> {
        self.members(group)?;
        if members.is_empty() {
            let holds = |members: &Vec<Target>| members.iter().any(|member| member.groups().contains(&group));
            if let Some((by, _)) = self.own.iter().find(|(other, members)| *other != group && holds(members)) {
                return Err(GroupError::Held { group: group.clone(), by: by.clone() });
            }
            self.own.remove(group);
            return Ok(Vec::new());
        }
        let present = self.own.entry(group.clone()).or_default();
        let missing = members.iter().filter(|member| !present.contains(member)).cloned().collect();
        present.retain(|member| !members.contains(member));
        Ok(missing)
    }

    /// Whether a group is about facts.
    pub fn has_facts(&self) -> bool {
        self.iter().any(|(_, members, _)| members.iter().any(Target::has_facts))
    }

    /// Who is in each group.
    pub fn resolve(&self, inventory: &[Host], facts: KnownFacts) -> Result<Members, GroupError> {
        let stale = self
            .standings()
            .into_iter()
            .filter(|standing| standing.at.is_some() && (standing.failed.is_some() || standing.unasked));
        let mut members = Members { facts, silent: self.silent(), stale: stale.collect(), ..Members::default() };
        for group in self.order()? {
            let targets = self.members(group)?;
            let names = |means: &dyn Fn(&HostName) -> bool| {
                inventory.iter().filter(|host| means(&host.name)).map(|host| host.name.clone()).collect::<HashSet<_>>()
            };
            let hosts = names(&|host| targets.iter().any(|target| target.matches(host, &members)));
            let unsure =
                names(&|host| !hosts.contains(host) && targets.iter().any(|target| target.is_unsure(host, &members)));
            members.groups.insert(group.clone(), hosts);
            members.unsure.insert(group.clone(), unsure);
        }
        Ok(members)
    }

    /// The groups, each behind those that it holds. Without recursion: they may be nested to any depth. One that nobody has is
    /// no mistake while there are sources that were not asked.
    fn order(&self) -> Result<Vec<&GroupName>, GroupError> {
        let (mut order, mut done) = (Vec::new(), BTreeSet::new());
        let open = self.told.is_none() && !self.sources.is_empty();
        for root in self.names() {
            // The way from the root to where we are, each with the groups that are still to be looked into.
            let mut way: Vec<(&GroupName, Vec<&GroupName>)> = Vec::new();
            let mut next = (!done.contains(root)).then_some(root);
            loop {
                if let Some(group) = next.take() {
                    let members = if open { self.find(group).unwrap_or_default() } else { self.members(group)? };
                    let inner: Vec<_> = members.iter().flat_map(Target::groups).collect();
                    way.push((group, inner));
                }
                let Some((group, inner)) = way.last_mut() else { break };
                let group = *group;
                if let Some(inside) = inner.pop() {
                    if let Some(start) = way.iter().position(|(on, _)| *on == inside) {
                        let path = way[start..].iter().map(|(on, _)| *on).chain([inside]).cloned().collect();
                        return Err(GroupError::Cycle { path });
                    }
                    next = (!done.contains(inside)).then_some(inside);
                } else {
                    way.pop();
                    if done.insert(group) {
                        order.push(group);
                    }
                }
            }
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Groups, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("groups.toml");
        std::fs::write(&path, text).unwrap();
        Groups::load(&path).map_err(|error| error.to_string())
    }

    fn hosts(names: &[&str]) -> Vec<Host> {
        let host = |name: &&str| Host { name: name.parse().unwrap(), address: "127.0.0.1:7".parse().unwrap() };
        names.iter().map(host).collect()
    }

    #[test]
    fn groups_hold_groups_to_any_depth() {
        let nested: Vec<String> = (1..5000).map(|number| format!("g{number} = [\"@g{}\"]\n", number - 1)).collect();
        let groups = load(&format!("[groups]\ng0 = [\"web*\"]\n{}", nested.concat())).unwrap();
        let members = groups.resolve(&hosts(&["web1", "db1"]), KnownFacts::default()).unwrap();
        let deepest: GroupName = "G4999".parse().unwrap();
        assert!(members.has(&deepest, &"web1".parse().unwrap()) == Some(true) && members.count(&deepest) == 1);
    }

    #[test]
    fn a_group_that_holds_itself_or_one_that_is_not_there_is_named() {
        let cycle = load("[groups]\na = [\"@b\"]\nb = [\"x\", \"@c and y\"]\nc = [\"not @a\"]\n").unwrap_err();
        assert_eq!(cycle, "the group `a` holds itself: a → b → c → a");
        assert!(load("[groups]\na = [\"@a\"]\n").unwrap_err().contains("a → a"));
        assert_eq!(load("[groups]\na = [\"@b\"]\n").unwrap_err(), "there is no group `b`");
        assert!(load("[groups]\na = [\"x and\"]\n").unwrap_err().contains("the member `x and` of the group `a`"));
        // Twice on two ways is no way round.
        assert!(load("[groups]\na = [\"@b\", \"@c\"]\nb = [\"@d\"]\nc = [\"@d\"]\nd = [\"x\"]\n").is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_not_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config/groups.toml");
        let add = |group: &str, member: &str| {
            let (group, member) = (group.parse().unwrap(), member.parse().unwrap());
            Groups::update(&path, |groups| {
                groups.add(group, vec![member]);
                Ok(())
            })
        };
        add("web", "web{1..3}").unwrap();
        add("all", "@web").unwrap();
        assert!(matches!(add("web", "@all"), Err(GroupError::Cycle { .. })));
        let web: GroupName = "web".parse().unwrap();
        assert!(matches!(Groups::update(&path, |groups| groups.remove(&web, &[])), Err(GroupError::Held { .. })));
        let groups = Groups::load(&path).unwrap();
        assert_eq!(groups.members(&web).unwrap(), ["web{1..3}".parse().unwrap()]);
        let missing = Groups::update(&path, |groups| groups.remove(&web, &["x".parse().unwrap()])).unwrap();
        assert_eq!(missing.len(), 1);
    }
}
