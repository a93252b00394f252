//! `func map`: who is reached through whom.

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::report::{Lines, Report};
use crate::fleet::{FleetMap, Tree};
use crate::ids::HostName;

/// Show who is reached through whom, or find it out
///
/// A minion with `[overlord]` in its minion.toml passes calls on to the minions of its own inventory. Those that the map shows
/// behind it can be called like all others: by the shortest way, and directly if they are in the inventory here.
#[derive(Debug, Subcommand)]
pub(super) enum Map {
    /// Ask every minion of the inventory whom it reaches, and keep the answer
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
        let map = match self {
            Self::Build { timeout } => {
                Context::block_on(async { Ok(overlord.build_map(Duration::from_secs(timeout.into())).await?) })?
            }
            Self::Show => overlord.map()?,
        };
        Ok(Box::new(Lines { lines: lines(&map), data: data(&map) }))
    }
}

fn lines(map: &FleetMap) -> Vec<String> {
    let mut lines = Vec::new();
    branch(&map.hosts, 0, map, &mut lines);
    if lines.is_empty() {
        lines.push("nobody: ask with `func map build`".to_owned());
    }
    let rings = map.rings.iter().map(|ring| format!("a ring, which no call takes: {}", joined(ring, " > ")));
    lines.extend(rings);
    lines
}

fn branch(tree: &Tree, depth: usize, map: &FleetMap, lines: &mut Vec<String>) {
    for (name, behind) in &tree.0 {
        let silent = map.silent.get(name).map(|why| format!("  (not asked: {why})")).unwrap_or_default();
        lines.push(format!("{:width$}{name}{silent}", "", width = depth * 2));
        branch(behind, depth + 1, map, lines);
    }
}

fn data(map: &FleetMap) -> serde_json::Value {
    let ways: serde_json::Map<_, _> =
        map.ways().into_iter().map(|(name, via)| (name.to_string(), json!(via))).collect();
    json!({ "hosts": map.hosts, "ways": ways, "rings": map.rings, "silent": map.silent })
}

fn joined(names: &[HostName], between: &str) -> String {
    names.iter().map(HostName::as_str).collect::<Vec<_>>().join(between)
}
