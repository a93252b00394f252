//! `func facts`: what is known of hosts, and asking them anew.

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::outcomes::Outcomes;
use super::progress::Progress;
use super::render;
use super::report::{Lines, Report};
use super::shape::Shape;
use crate::config::age;
use crate::fleet::{Outcome, Selector, Target};
use crate::ids::MethodName;
use crate::wire::Value;

/// Show what is known of hosts, or ask them
///
/// Hosts are chosen by it: `@web and os_id=debian and not rack:7`. It is what they said when they were asked last; `--filter`
/// lets each host judge for itself.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  func facts refresh '*'\n  func facts web1"
)]
pub(super) struct Facts {
    /// Whom: like `web*;db1`
    #[arg(default_value = "*")]
    target: String,
    #[command(subcommand)]
    refresh: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Ask hosts for their facts, and keep them
    Refresh {
        /// Whom
        #[arg(default_value = "*")]
        target: Target,
        #[command(flatten)]
        fleet: FleetOptions,
    },
}

impl Facts {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self.refresh {
            Some(Change::Refresh { target, fleet }) => refresh(context, &target, &fleet),
            None => show(context, self.target.parse().or_exit(Exit::Usage)?),
        }
    }
}

fn refresh(context: &Context, target: &Target, fleet: &FleetOptions) -> Result<Box<dyn Report>, Failure> {
    let overlord = overlord(context)?;
    let selection = fleet.select(&overlord, target)?;
    let method: MethodName = "system.facts".parse().or_exit(Exit::Internal)?;
    let progress = Progress::of_hosts(context, &Shape::Folded, selection.names());
    let hosts: Vec<_> = Context::block_on(async {
        let answers = overlord.call(selection, &method, Vec::new(), fleet.call_options())?;
        Ok(answers.inspect(|(host, outcome)| progress.ended(host, outcome)).collect().await)
    })?;
    let told = hosts.iter().filter_map(|(host, outcome)| match outcome {
        Outcome::Ok(Value::Struct(facts)) => Some((host.clone(), facts.clone())),
        _ => None,
    });
    overlord.keep_facts(told.collect())?;
    let counted = hosts.into_iter().map(|(host, outcome)| match outcome {
        Outcome::Ok(Value::Struct(facts)) => (host, Outcome::Ok(format!("{} facts", facts.len()).into())),
        other => (host, other),
    });
    Ok(Box::new(Outcomes { method: method.to_string(), hosts: counted.collect() }))
}

fn show(context: &Context, target: Target) -> Result<Box<dyn Report>, Failure> {
    let overlord = overlord(context)?;
    let names = overlord.select(&Selector::new(target))?.names();
    let known = overlord.known_facts()?;
    let now = Timestamp::now();
    let (mut lines, mut data, mut without) = (Vec::new(), serde_json::Map::new(), Vec::new());
    let mut groups = Vec::new();
    for name in &names {
        let Some(host) = known.of(name) else {
            without.push(name);
            data.insert(name.to_string(), serde_json::Value::Null);
            continue;
        };
        let facts = Value::Struct(host.facts.clone());
        data.insert(name.to_string(), json!({ "at": host.at, "facts": facts.to_json() }));
        groups.push((name.clone(), (age(host.at, now), facts)));
    }
    for group in render::fold(groups) {
        let (age, facts) = &group.result;
        lines.push(format!("{} ({age} ago)", render::compress(&group.hosts)));
        lines.push(render::value(facts, 2));
    }
    if !without.is_empty() {
        lines.push(render::compress(without.iter().copied()));
        lines.push("  nothing is known: ask with `func facts refresh`".to_owned());
    }
    Ok(Box::new(Lines { lines, data: data.into() }))
}
