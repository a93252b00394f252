//! `func group`: names for sets of hosts.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::hints::of_groups;
use super::render;
use super::report::{Lines, Report};
use crate::ca::Host;
use crate::fleet::{GroupError, GroupName, Groups, KnownFacts, Selector, SourceStanding, Target};
use crate::overlord::{self, Overlord};

/// List, show and change groups of hosts
///
/// A group is used in a target: `@web`, `@web:db*`, `@web and not web1`. Its members are targets too, so a group may hold
/// others.
#[derive(Debug, Subcommand)]
pub(super) enum Group {
    List(List),
    Show(Show),
    Add(Add),
    Remove(Remove),
    Refresh(Refresh),
}

impl Group {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Show(command) => command.run(context),
            Self::Add(command) => command.run(context),
            Self::Remove(command) => command.run(context),
            Self::Refresh(command) => command.run(context),
        }
    }
}

/// List every group with its members
#[derive(Debug, Args)]
pub(super) struct List {}

impl List {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let groups = overlord.groups()?;
        warn_of_sources(&groups);
        let about = if groups.has_facts() { overlord.known_facts()? } else { KnownFacts::default() };
        let members = groups.resolve(&overlord.hosts()?, about).map_err(overlord::Error::from)?;
        let sources = groups.iter().any(|(.., source)| source.is_some());
        let rows: Vec<Vec<String>> = groups
            .iter()
            .map(|(group, targets, source)| {
                let source = sources.then(|| source.map(ToString::to_string).unwrap_or_default());
                let row = [group.to_string(), members.count(group).to_string(), texts(targets).join("; ")];
                row.into_iter().chain(source).collect()
            })
            .collect();
        let header = ["group", "hosts", "members", "from"];
        let lines = if rows.is_empty() {
            vec!["no groups".to_owned()]
        } else {
            vec![render::table(&header[..rows[0].len()], &rows, &[1])]
        };
        let data = groups.iter().map(|(group, targets, source)| {
            json!({ "name": group, "members": texts(targets), "hosts": members.count(group), "source": source })
        });
        Ok(Box::new(Lines { lines, data: data.collect() }))
    }
}

/// Show who is in a group
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The group, with or without `@`
    #[arg(value_parser = name)]
    group: GroupName,
}

impl Show {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let groups = overlord.groups()?;
        warn_of_sources(&groups);
        let source = groups.source_of(&self.group);
        let members = texts(groups.members(&self.group).map_err(overlord::Error::from)?);
        let everybody: Target =
            format!("@{}", self.group).parse().map_err(|error| Failure::new(Exit::Internal, error))?;
        let hosts: Vec<Host> = match overlord.select(&Selector::new(everybody)) {
            Ok(selection) => {
                selection.hosts.into_iter().chain(selection.skipped.into_iter().map(|(host, _)| host)).collect()
            }
            // An empty group can be shown.
            Err(overlord::Error::NoHost(_) | overlord::Error::NoMinions { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut names: Vec<_> = hosts.iter().map(|host| &host.name).collect();
        names.sort();
        let mut lines = vec![
            format!("members: {}", members.join("; ")),
            format!(
                "hosts: {}",
                if names.is_empty() { "none".to_owned() } else { render::compress(names.iter().copied()) }
            ),
        ];
        lines.extend(source.map(|source| format!("from: {source}")));
        let data = json!({ "name": self.group, "members": members, "hosts": names, "source": source });
        Ok(Box::new(Lines { lines, data }))
    }
}

/// Add members to a group, which is made if it is new
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The group, with or without `@`
    #[arg(value_parser = name)]
    group: GroupName,
    /// Targets: `web{1..20}`, `proxy*`, `@other`
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<Target>,
}

impl Add {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let (group, added) = (self.group.clone(), self.members.clone());
        let members = change(context, |groups| {
            groups.add(self.group, self.members);
            Ok(texts(groups.members(&group)?))
        })?;
        warn_of_nobody(&*overlord(context)?, added);
        Ok(told(&group, &members))
    }
}

/// Take members out of a group, or the whole group away
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The group, with or without `@`
    #[arg(value_parser = name)]
    group: GroupName,
    /// As `func group list` shows them; the whole group if none are named
    #[arg(value_name = "MEMBER")]
    members: Vec<Target>,
}

impl Remove {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let group = self.group.clone();
        let source = overlord(context)?.groups().ok().and_then(|groups| groups.source_of(&group).cloned());
        if let Some(source_name) = source {
            return Err(overlord::Error::from(GroupError::Told { group, source_name }).into());
        }
        let (missing, left) = change(context, |groups| {
            let missing = groups.remove(&self.group, &self.members)?;
            Ok((texts(&missing), groups.members(&group).map(texts).unwrap_or_default()))
        })?;
        let missed = |member: &String| format!("`{member}` is no member of `{group}`");
        if !missing.is_empty() && missing.len() == self.members.len() {
            let why = missing.iter().map(missed).collect::<Vec<_>>().join("; ");
            let has = if left.is_empty() { "it has none".to_owned() } else { format!("it has {}", left.join("; ")) };
            return Err(Failure::new(Exit::Configuration, why).hint(format!("name members as they are written: {has}")));
        }
        missing.iter().map(missed).for_each(Context::warn);
        if self.members.is_empty() {
            let line = format!("`{group}` is gone");
            return Ok(Box::new(Lines { lines: vec![line], data: json!({ "name": group, "members": [] }) }));
        }
        Ok(told(&group, &left))
    }
}

/// Ask the programs that tell groups, whatever they told before
///
/// They stand below `[sources]` in `groups.toml`. One that fails keeps its last good answer.
#[derive(Debug, Args)]
pub(super) struct Refresh {
    /// These; all if none are named
    #[arg(value_name = "SOURCE")]
    sources: Vec<GroupName>,
}

impl Refresh {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let groups = overlord(context)?.refresh_groups(&self.sources)?;
        warn_of_sources(&groups);
        let mut standings = groups.standings();
        standings.retain(|standing| self.sources.is_empty() || self.sources.contains(&standing.name));
        let count = |name: &GroupName| groups.iter().filter(|(.., source)| *source == Some(name)).count();
        let line = |standing: &SourceStanding| format!("`{}` tells {} groups", standing.name, count(&standing.name));
        let lines = standings.iter().filter(|standing| standing.failed.is_none()).map(line).collect();
        let data = standings.iter().map(|standing| {
            let SourceStanding { name, at, failed, .. } = standing;
            json!({ "source": name, "at": at, "groups": count(name), "failed": failed.as_ref().map(|(_, why)| why) })
        });
        let data = data.collect();
        let lines = Lines { lines, data };
        let failed = standings.iter().any(|standing| standing.failed.is_some());
        Ok(if failed { Box::new(Unwell(lines)) } else { Box::new(lines) })
    }
}

/// Some source has failed.
struct Unwell(Lines);

impl Report for Unwell {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.text(out)
    }

    fn json(&self) -> serde_json::Value {
        self.0.json()
    }

    fn exit(&self) -> Exit {
        Exit::SomeFailed
    }
}

fn change<R>(context: &Context, change: impl FnOnce(&mut Groups) -> Result<R, GroupError>) -> Result<R, Failure> {
    Groups::update(&context.home.groups(), change).map_err(|error| {
        let hint = of_groups(&error);
        Failure::new(Exit::Configuration, error).hint(hint)
    })
}

fn told(group: &GroupName, members: &[String]) -> Box<dyn Report> {
    let line = if members.is_empty() {
        format!("`{group}` has no members any more")
    } else {
        format!("`{group}` is {}", members.join("; "))
    };
    Box::new(Lines { lines: vec![line], data: json!({ "name": group, "members": members }) })
}

/// A member that chooses nobody may be meant for hosts to come, and may be a slip.
fn warn_of_nobody(overlord: &Overlord, members: Vec<Target>) {
    for member in members {
        let text = member.as_str().to_owned();
        let unmatched = match overlord.select(&Selector::new(member)) {
            Ok(selection) => selection.unmatched,
            Err(overlord::Error::NoHost(_)) => vec![text],
            // Whoever uses the group is told.
            Err(_) => Vec::new(),
        };
        for part in unmatched {
            Context::warn(format!("no host of the inventory matches `{part}` now"));
        }
    }
}

/// A source that fails is told of, and so are groups that it has in vain.
fn warn_of_sources(groups: &Groups) {
    let now = Timestamp::now();
    for standing in groups.standings() {
        standing.complaint(now).iter().for_each(Context::warn);
        for group in standing.hidden {
            Context::warn(format!(
                "`{group}` of the source `{}` counts for nothing: there is such a group",
                standing.name
            ));
        }
    }
}

fn texts(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| target.as_str().to_owned()).collect()
}

fn name(text: &str) -> Result<GroupName, crate::fleet::InvalidGroupName> {
    text.strip_prefix('@').unwrap_or(text).parse()
}
