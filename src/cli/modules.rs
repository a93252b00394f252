//! `func modules`: which versions are served where, and what waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::module::merged;
use super::outcomes::{census, exit_of};
use super::render;
use super::report::Report;
use crate::fleet::{Outcome, Summary, Target};
use crate::ids::{HostName, MethodName};
use crate::wire::Value;

/// Show the modules of minions: versions, who signed them, what waits
///
/// A module is serving, held (it asks for more than is granted; the old version serves on), unsigned
/// (its signature has not arrived) or failed. A `*` marks versions that differ from host to host.
#[derive(Debug, Args)]
pub(super) struct Modules {
    /// Whom to ask: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    #[arg(default_value = "*")]
    target: Target,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl Modules {
    /// Asks, and shows what came back.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        let method: MethodName = "system.modules".parse().or_exit(Exit::Internal)?;
        let mut hosts: Vec<(HostName, Outcome)> = Context::block_on(async {
            let answers = overlord.call(selection, &method, Vec::new(), self.fleet.call_options())?;
            Ok(answers.collect().await)
        })?;
        hosts.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Box::new(Versions(hosts)))
    }
}

/// What every host said.
struct Versions(Vec<(HostName, Outcome)>);

/// One line of a host's answer.
struct Entry<'a>(&'a BTreeMap<String, Value>);

impl<'a> Entry<'a> {
    fn text(&self, key: &str) -> &'a str {
        match self.0.get(key) {
            Some(Value::String(text)) => text,
            _ => "",
        }
    }

    fn asks(&self) -> Vec<&'a str> {
        let Some(Value::Array(asks)) = self.0.get("asks") else { return Vec::new() };
        let text = |ask: &'a Value| if let Value::String(text) = ask { Some(text.as_str()) } else { None };
        asks.iter().filter_map(text).collect()
    }

    fn serves(&self) -> bool {
        self.text("state") == "serving"
    }
}

impl Versions {
    fn entries(&self) -> impl Iterator<Item = (&HostName, Entry<'_>)> {
        self.0.iter().flat_map(|(host, outcome)| {
            let entries = match outcome {
                Outcome::Ok(Value::Array(entries)) => entries.as_slice(),
                _ => &[],
            };
            entries.iter().filter_map(move |entry| match entry {
                Value::Struct(members) => Some((host, Entry(members))),
                _ => None,
            })
        })
    }

    /// The modules of which different versions are served.
    fn differing(&self) -> BTreeSet<&str> {
        let mut digests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (_, entry) in self.entries().filter(|(_, entry)| entry.serves()) {
            digests.entry(entry.text("module")).or_default().insert(entry.text("digest"));
        }
        digests.into_iter().filter(|(_, digests)| digests.len() > 1).map(|(module, _)| module).collect()
    }

    fn summary(&self) -> Summary {
        self.0.iter().map(|(_, outcome)| outcome).collect()
    }
}

impl Report for Versions {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let differing = self.differing();
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        for (host, entry) in self.entries() {
            let shown = |key| render::visible(entry.text(key));
            let module = if entry.text("module").is_empty() { shown("file") } else { shown("module") };
            let mark = if entry.serves() && differing.contains(entry.text("module")) { " *" } else { "" };
            let digest: String = shown("digest").chars().take(12).collect();
            rows.push(vec![
                host.to_string(),
                module.clone(),
                format!("{}{mark}", shown("version")),
                digest,
                shown("signer"),
                shown("state"),
            ]);
            if !entry.serves() {
                notes.push(format!("{host}  {}  {}: {}", module, shown("state"), shown("why")));
                let wanted = merged(entry.asks().into_iter());
                notes.extend(wanted.trim().lines().map(|line| format!("    {}", render::visible(line))));
            }
        }
        if !rows.is_empty() {
            let header = ["host", "module", "version", "digest", "signer", "state"];
            writeln!(out, "{}", render::table(&header, &rows, &[]))?;
        }
        if !differing.is_empty() {
            let names: Vec<String> = differing.iter().map(|name| render::visible(name)).collect();
            writeln!(out, "\n* differs from host to host: {}", names.join(", "))?;
        }
        if !notes.is_empty() {
            writeln!(out)?;
            notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
        }
        let failed: Vec<_> = self.0.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Ok(_))).cloned().collect();
        if !failed.is_empty() {
            writeln!(out)?;
            super::outcomes::write_folded(&failed, out)?;
            writeln!(out, "{}", census(&self.summary()))?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let host = |(host, outcome): &(HostName, Outcome)| match outcome {
            Outcome::Ok(value) => json!({ "host": host, "modules": value.to_json() }),
            other => json!({ "host": host, "outcome": other.to_json() }),
        };
        json!({ "hosts": self.0.iter().map(host).collect::<Vec<_>>(), "differing": self.differing() })
    }

    fn exit(&self) -> Exit {
        exit_of(self.0.iter().map(|(_, outcome)| outcome))
    }
}
