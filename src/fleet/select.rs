//! From a target to the hosts that will be asked, frozen.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{GroupError, Members, SkipReason, SourceStanding, Target, target::Choice};
use jiff::Timestamp;

use crate::{
    ca::{DEFAULT_PORT, Host},
    ids::{HostName, InvalidId},
};

/// What chooses hosts out of the inventory.
#[derive(Debug, Clone)]
pub struct Selector {
    /// Who.
    pub target: Target,
    /// But not these.
    pub exclude: Option<Target>,
    /// Whether a plain name that the inventory does not have is tried as it is, on the usual port.
    pub allow_unknown: bool,
}

/// The frozen set of hosts of one call, each once, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those to ask.
    pub hosts: Vec<Host>,
    /// Those not to ask, and why.
    pub skipped: Vec<(Host, SkipReason)>,
    /// Parts of the target that chose nobody.
    pub unmatched: Vec<String>,
    /// Hosts that the target may mean: too little is known of them to tell.
    pub unsure: Vec<HostName>,
    /// Chosen hosts of which it is not known who is behind them.
    pub unmapped: Vec<HostName>,
    /// When those were asked for their facts who were asked first, if the target is about facts.
    pub known_since: Option<Timestamp>,
    /// Sources of groups that have failed since they told what was used of them.
    pub stale: Vec<SourceStanding>,
}

/// The target chooses nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no host matches `{target}`{}", if *excluded { ", once the excluded ones are taken away" } else { "" })]
pub struct NoHost {
    target: String,
    excluded: bool,
    unsure: usize,
}

impl NoHost {
    /// Hosts that may be meant: too little is known of them to tell.
    pub fn unsure(&self) -> usize {
        self.unsure
    }
}

/// Hosts known to be down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownDown(BTreeSet<HostName>);

/// Why the file of hosts known to be down cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not a host name.
    #[error("`{}`, line {line}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: InvalidId,
    },
}

impl Selection {
    /// The names of all that were chosen, also of those that are skipped.
    pub fn names(&self) -> Vec<HostName> {
        let skipped = self.skipped.iter().map(|(host, _)| host);
        self.hosts.iter().chain(skipped).map(|host| host.name.clone()).collect()
    }
}

impl Selector {
    /// All hosts that a target chooses.
    pub fn new(target: Target) -> Self {
        Self { target, exclude: None, allow_unknown: false }
    }

    /// Whether it speaks of facts.
    pub fn has_facts(&self) -> bool {
        self.target.has_facts() || self.exclude.as_ref().is_some_and(Target::has_facts)
    }

    /// Whether it speaks of groups.
    pub fn has_groups(&self) -> bool {
        std::iter::once(&self.target).chain(&self.exclude).any(|target| !target.groups().is_empty())
    }

    /// That every group which it names is there.
    pub fn check(&self, members: &Members) -> Result<(), GroupError> {
        members.know(&self.target)?;
        self.exclude.iter().try_for_each(|exclude| members.know(exclude))
    }

    /// Freezes the set.
    pub fn select(&self, inventory: &[Host], members: &Members, down: &KnownDown) -> Result<Selection, NoHost> {
        let matches = |host: &&Host| self.target.matches(&host.name, members);
        let mut chosen: Vec<Host> = inventory.iter().filter(matches).cloned().collect();
        let mut unmatched = Vec::new();
        for part in self.target.parts() {
            let Choice::Word(word) = part else {
                if !inventory.iter().any(|host| part.matches(&host.name, members)) {
                    unmatched.push(part.to_string());
                }
                continue;
            };
            for glob in word.globs() {
                if inventory.iter().any(|host| glob.matches(&host.name)) {
                    continue;
                }
                match glob.plain().filter(|_| self.allow_unknown) {
                    Some(name) => chosen.push(unknown(name)),
                    None => unmatched.push(glob.text.clone()),
                }
            }
        }
        let found = !chosen.is_empty();
        let unsure = inventory.iter().map(|host| host.name.clone());
        let unsure: Vec<_> = unsure.filter(|host| self.target.is_unsure(host, members)).collect();
        if let Some(exclude) = &self.exclude {
            chosen.retain(|host| !exclude.matches(&host.name, members) && !exclude.is_unsure(&host.name, members));
        }
        if chosen.is_empty() {
            return Err(NoHost { target: self.target.to_string(), excluded: found, unsure: unsure.len() });
        }
        chosen.sort_by(|a, b| a.name.cmp(&b.name));
        chosen.dedup_by(|a, b| a.name == b.name);
        let (skipped, hosts): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|host| down.0.contains(&host.name));
        let skipped = skipped.into_iter().map(|host| (host, SkipReason::Down)).collect();
        let known_since = hosts.iter().filter_map(|host| Some(members.facts_of(&host.name)?.at)).min();
        let stale = members.stale().to_vec();
        Ok(Selection { hosts, skipped, unmatched, unsure, unmapped: Vec::new(), known_since, stale })
    }
}

impl Selection {
    /// How many hosts there are, skipped ones too.
    pub fn len(&self) -> usize {
        self.hosts.len() + self.skipped.len()
    }

    /// Whether there are none, which no selection made by [`Selector::select`] is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl KnownDown {
    /// Reads a file with one name a line; `#` begins a comment. No file, nobody down.
    pub fn load(path: &Path) -> Result<Self, SelectError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|source| SelectError::Read { path: path.to_owned(), source })?,
        };
        let mut names = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let name = line.split('#').next().unwrap_or_default().trim();
            if !name.is_empty() {
                let mistake = |source| SelectError::Name { path: path.to_owned(), line: index + 1, source };
                names.insert(name.parse().map_err(mistake)?);
            }
        }
        Ok(Self(names))
    }
}

impl FromIterator<HostName> for KnownDown {
    fn from_iter<I: IntoIterator<Item = HostName>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

fn unknown(name: HostName) -> Host {
    let address = format!("{name}:{DEFAULT_PORT}");
    let address = address.parse().expect("a host name and a port are an address");
    Host { name, address }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> Vec<Host> {
        let host = |name: &str| Host { name: name.parse().unwrap(), address: "127.0.0.1:7".parse().unwrap() };
        ["web2", "web1", "db1"].map(host).to_vec()
    }

    fn selector(target: &str, exclude: &str) -> Selector {
        Selector { exclude: exclude.parse().ok(), ..Selector::new(target.parse().unwrap()) }
    }

    fn names<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> Vec<&'a str> {
        hosts.into_iter().map(|host| host.name.as_str()).collect()
    }

    #[test]
    fn each_host_is_chosen_once_and_by_name() {
        let selection =
            selector("web*;*2;nobody;x?", "").select(&inventory(), &Members::default(), &KnownDown::default()).unwrap();
        assert_eq!(names(&selection.hosts), ["web1", "web2"]);
        assert_eq!(selection.unmatched, ["nobody", "x?"]);
    }

    #[test]
    fn hosts_known_to_be_down_are_skipped_by_name_and_excluded_ones_are_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("down");
        assert_eq!(KnownDown::load(&path).unwrap(), KnownDown::default());
        fs::write(&path, "# since Monday\nWeb1 # a new disk\n\nelsewhere\n").unwrap();
        let down = KnownDown::load(&path).unwrap();
        let selection = selector("*", "db*").select(&inventory(), &Members::default(), &down).unwrap();
        assert_eq!(names(&selection.hosts), ["web2"]);
        assert_eq!(names(selection.skipped.iter().map(|(host, _)| host)), ["web1"]);
        fs::write(&path, "web1\nno host\n").unwrap();
        assert!(KnownDown::load(&path).unwrap_err().to_string().ends_with("line 2"));
    }

    #[test]
    fn nobody_is_an_error_that_says_why() {
        let none = |target, exclude| {
            selector(target, exclude).select(&inventory(), &Members::default(), &KnownDown::default())
        };
        assert_eq!(none("mail*", "").unwrap_err().to_string(), "no host matches `mail*`");
        assert!(none("web*", "*").unwrap_err().to_string().contains("excluded"));
    }

    #[test]
    fn an_unknown_name_is_tried_only_when_allowed() {
        let mut selector = selector("mail1;mail?;web1", "");
        assert_eq!(
            selector.select(&inventory(), &Members::default(), &KnownDown::default()).unwrap().unmatched,
            ["mail1", "mail?"]
        );
        selector.allow_unknown = true;
        let selection = selector.select(&inventory(), &Members::default(), &KnownDown::default()).unwrap();
        assert_eq!(selection.hosts[0].address.to_string(), "mail1:51234");
        assert_eq!(names(&selection.hosts), ["mail1", "web1"]);
        assert_eq!(selection.unmatched, ["mail?"]);
    }
}
