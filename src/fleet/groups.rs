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

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{HostFacts, InvalidTarget, KnownFacts, Target};
use crate::{
    ca::Host,
    config,
    ids::HostName,
    plugin::similar,
    sys::{durable, lock},
};

/// The name of a group, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(String);

/// Text that cannot be the name of a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be a group's name: {}", GroupName::RULE)]
pub struct InvalidGroupName;

impl GroupName {
    pub(super) const RULE: &'static str = "a group's name has 1 to 100 letters, digits, `-`, `_` and `.`";

    /// As text, without the `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidGroupName;

    fn from_str(text: &str) -> Result<Self, InvalidGroupName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fine = (1..=100).contains(&text.len()) && text.bytes().all(allowed);
        fine.then(|| Self(text.to_ascii_lowercase())).ok_or(InvalidGroupName)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Every group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups(BTreeMap<GroupName, Vec<Target>>);

/// The hosts of each group, of one inventory, and what is known of hosts.
#[derive(Debug, Default)]
pub struct Members {
    groups: BTreeMap<GroupName, HashSet<HostName>>,
    /// Those of which it is not known whether they belong to a group, which is about facts then.
    unsure: BTreeMap<GroupName, HashSet<HostName>>,
    facts: KnownFacts,
}

/// Why the groups cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The file cannot be read, or is not what it should be.
    #[error("the groups cannot be used")]
    File(#[source] config::Error),
    /// The file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A member is not a target.
    #[error("the member `{member}` of the group `{group}`: {source}")]
    Member {
        /// Whose.
        group: GroupName,
        /// As it is written.
        member: String,
        /// What is wrong with it.
        source: InvalidTarget,
    },
    /// A group holds itself.
    #[error("the group `{}` holds itself: {}", path[0], shown(path))]
    Cycle {
        /// The way round, its first group again at the end.
        path: Vec<GroupName>,
    },
    /// There is no such group.
    #[error("there is no group `{group}`{}", hint.as_ref().map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default())]
    Unknown {
        /// Which.
        group: GroupName,
        /// One of a similar name.
        hint: Option<GroupName>,
    },
    /// It cannot go away, because another holds it.
    #[error("the group `{group}` is a member of `{by}`")]
    Held {
        /// Which.
        group: GroupName,
        /// Whose member it is.
        by: GroupName,
    },
}

fn unknown<'a>(group: &GroupName, known: impl Iterator<Item = &'a GroupName>) -> GroupError {
    let hint = similar(group.as_str(), known.map(GroupName::as_str)).and_then(|name| name.parse().ok());
    GroupError::Unknown { group: group.clone(), hint }
}

fn shown(path: &[GroupName]) -> String {
    path.iter().map(GroupName::as_str).collect::<Vec<_>>().join(" → ")
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    groups: BTreeMap<GroupName, Vec<String>>,
}

impl Groups {
    /// Reads the file. One that is not there holds no groups.
    pub fn load(path: &Path) -> Result<Self, GroupError> {
        let file: File = match config::load(path) {
            Err(config::Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => File::default(),
            other => other.map_err(GroupError::File)?,
        };
        let mut groups = Self::default();
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
            groups.0.insert(group, members);
        }
        groups.order()?;
        Ok(groups)
    }

    /// Loads the file, changes it and saves it, while no other process does. What makes no sense is not saved.
    pub fn update<R>(path: &Path, change: impl FnOnce(&mut Self) -> Result<R, GroupError>) -> Result<R, GroupError> {
        const HEAD: &str = "# Groups of hosts: each member is a target, so a group may hold others (`@web`).\n";
        let failed = |source| GroupError::Write { path: path.to_owned(), source };
        durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
        let file = lock::open_lock_file(&path.with_extension("lock")).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut groups = Self::load(path)?;
        let result = change(&mut groups)?;
        groups.order()?;
        let text = |members: &Vec<Target>| members.iter().map(|member| member.as_str().to_owned()).collect();
        let all = groups.0.iter().map(|(group, members)| (group.clone(), text(members))).collect();
        let body = toml::to_string(&File { groups: all }).map_err(|error| failed(io::Error::other(error)))?;
        durable::write_atomic(path, format!("{HEAD}{body}").as_bytes(), 0o644).map_err(failed)?;
        Ok(result)
    }

    /// Every group with its members, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&GroupName, &[Target])> {
        self.0.iter().map(|(group, members)| (group, &members[..]))
    }

    /// The members of a group, as they are written.
    pub fn members(&self, group: &GroupName) -> Result<&[Target], GroupError> {
        self.0.get(group).map(|members| &members[..]).ok_or_else(|| unknown(group, self.0.keys()))
    }

    /// Adds members to a group, which is made if it is new. Those that it has already are not repeated.
    pub fn add(&mut self, group: GroupName, members: Vec<Target>) {
        let present = self.0.entry(group).or_default();
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
            if let Some((by, _)) = self.0.iter().find(|(other, members)| *other != group && holds(members)) {
                return Err(GroupError::Held { group: group.clone(), by: by.clone() });
            }
            self.0.remove(group);
            return Ok(Vec::new());
        }
        let present = self.0.entry(group.clone()).or_default();
        let missing = members.iter().filter(|member| !present.contains(member)).cloned().collect();
        present.retain(|member| !members.contains(member));
        Ok(missing)
    }

    /// Whether a group is about facts.
    pub fn has_facts(&self) -> bool {
        self.0.values().flatten().any(Target::has_facts)
    }

    /// Who is in each group.
    pub fn resolve(&self, inventory: &[Host], facts: KnownFacts) -> Result<Members, GroupError> {
        let mut members = Members { facts, ..Members::default() };
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

    /// The groups, each behind those that it holds. Without recursion: they may be nested to any depth.
    fn order(&self) -> Result<Vec<&GroupName>, GroupError> {
        let (mut order, mut done) = (Vec::new(), BTreeSet::new());
        for root in self.0.keys() {
            // The way from the root to where we are, each with the groups that are still to be looked into.
            let mut way: Vec<(&GroupName, Vec<&GroupName>)> = Vec::new();
            let mut next = (!done.contains(root)).then_some(root);
            loop {
                if let Some(group) = next.take() {
                    let inner: Vec<_> = self.members(group)?.iter().flat_map(Target::groups).collect();
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

impl Members {
    /// Whether a host is in a group; `None` if too little is known of it.
    pub(super) fn has(&self, group: &GroupName, host: &HostName) -> Option<bool> {
        let holds = |groups: &BTreeMap<GroupName, HashSet<HostName>>| {
            groups.get(group).is_some_and(|hosts| hosts.contains(host))
        };
        (!holds(&self.unsure)).then(|| holds(&self.groups))
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
            Some(group) => Err(unknown(group, self.groups.keys())),
            None => Ok(()),
        }
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
