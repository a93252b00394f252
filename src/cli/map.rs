//! `func map`: who is reached through whom.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::render;
use super::report::Report;
use crate::config::age;
use crate::fleet::{FleetMap, Tree};
use crate::ids::HostName;

/// Show who is reached through whom, or find it out
///
/// A minion with `[overlord]` in its minion.toml passes calls on to the minions of its own inventory. Those that the map shows
/// behind it can be called like all others: by the shortest way, and directly if they are in the inventory here.
#[derive(Debug, Subcommand)]
pub(super) enum Map {
    /// Ask every minion of the inventory, and those behind them, whom they reach, and keep the answers
    ///
    /// Of who does not answer, what it said last stays on the map, with its age, and calls count those behind it. The exit code
    /// is 1 then.
    #[command(after_help = "Example: func map build && func ping '*'")]
    Build {
        /// Seconds for all to answer
        #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        timeout: u32,
    },
    /// Show what was found last
    Show,
}

impl Map {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let (map, gone) = match self {
            Self::Build { timeout } => {
                let time = Duration::from_secs(timeout.into());
                let (map, gone) = Context::block_on(async { Ok(overlord.build_map(time).await?) })?;
                (map, Some(gone))
            }
            Self::Show => (overlord.map()?, None),
        };
        let (ways, unconfirmed) = (map.ways(), map.unconfirmed());
        Ok(Box::new(Shown { map, gone, ways, unconfirmed }))
    }
}

/// A map, and what the one before had if it is new.
struct Shown {
    map: FleetMap,
    gone: Option<BTreeSet<HostName>>,
    ways: BTreeMap<HostName, Vec<HostName>>,
    unconfirmed: BTreeMap<HostName, Timestamp>,
}

impl Report for Shown {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.ways.is_empty() {
            return writeln!(out, "nobody: ask with `func map build`");
        }
        self.branch(&self.map.tree(), 0, out)?;
        for ring in self.map.rings() {
            writeln!(out, "a ring, which no call takes: {}", joined(&ring, " > "))?;
        }
        let unknown = self.map.unknown();
        if !unknown.is_empty() {
            writeln!(out, "who is behind these is not known: {}", render::compress(unknown))?;
        }
        if let Some(since) = self.unconfirmed.values().min() {
            let (age, hosts) = (age(*since, Timestamp::now()), render::compress(self.unconfirmed.keys()));
            writeln!(out, "not confirmed, last heard of up to {age} ago: {hosts}")?;
        }
        if let Some(gone) = self.gone.as_ref().filter(|gone| !gone.is_empty()) {
            writeln!(out, "on the map before and on this no more: {}", render::compress(gone))?;
        }
        let direct = self.ways.values().filter(|via| via.is_empty()).count();
        let (all, unconfirmed) = (self.ways.len(), self.unconfirmed.len());
        let (through, s) = (all - direct, if all == 1 { "" } else { "s" });
        writeln!(out, "{all} host{s}: {direct} directly, {through} through others, {unconfirmed} of them not confirmed")
    }

    fn json(&self) -> serde_json::Value {
        let mut data = json!({
            "hosts": self.map.tree(),
            "ways": self.ways,
            "rings": self.map.rings(),
            "silent": self.map.silent,
            "unknown": self.map.unknown(),
            "unconfirmed": self.unconfirmed,
        });
        if let (Some(gone), Some(members)) = (&self.gone, data.as_object_mut()) {
            members.insert("gone".to_owned(), json!(gone));
        }
        data
    }

    fn exit(&self) -> Exit {
        if self.gone.is_some() && !self.map.silent.is_empty() { Exit::SomeFailed } else { Exit::Ok }
    }
}

impl Shown {
    fn branch(&self, tree: &Tree, depth: usize, out: &mut dyn Write) -> io::Result<()> {
        for (name, behind) in &tree.0 {
            let note = match self.map.silent.get(name) {
                _ if self.unconfirmed.contains_key(name) => "  (not confirmed)".to_owned(),
                Some(why) => format!("  (silent: {})", render::visible(why)),
                None => String::new(),
            };
            writeln!(out, "{:width$}{name}{note}", "", width = depth * 2)?;
            self.branch(behind, depth + 1, out)?;
        }
        Ok(())
    }
}

fn joined(names: &[HostName], between: &str) -> String {
    names.iter().map(HostName::as_str).collect::<Vec<_>>().join(between)
}
