//! `func hosts`: the inventory.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{self, warn_of_choice};
use super::render;
use super::report::{Lines, Report};
use crate::ca::{Address, Host, Inventory};
use crate::fleet::{Selection, Selector, Target};
use crate::ids::HostName;

/// List the minions of the inventory, or change it
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Hosts {
    /// Only these, and what of it chooses each: like `web*;db1` or `@web and not web1`
    #[arg(default_value = "*")]
    target: String,
    /// Leave these out
    #[arg(long, value_name = "TARGET")]
    exclude: Option<Target>,
    #[command(subcommand)]
    change: Option<Change>,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Enter a minion, or its new address
    Set {
        /// The name in its certificate
        name: HostName,
        /// Where it listens
        #[arg(value_name = "HOST:PORT")]
        address: Address,
    },
    /// Take a minion out; its certificate stays valid
    Remove {
        /// The name in its certificate
        name: HostName,
    },
}

impl Hosts {
    /// Shows or changes the inventory.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let path = context.home.inventory();
        match self.change {
            None => {
                let target: Target = self.target.parse().or_exit(Exit::Usage)?;
                let overlord = fleet_options::overlord(context)?;
                let selector = Selector { exclude: self.exclude, ..Selector::new(target) };
                let selection = overlord.select(&selector)?;
                let members = overlord.members(&selector)?;
                warn_of_choice(&selection);
                Ok(show(&selection, |host| selector.target.reasons(host, &members)))
            }
            Some(Change::Set { name, address }) => {
                enter(&path, &name, &address)?;
                let data = json!({ "name": name, "address": address });
                Ok(Box::new(Lines { lines: vec![format!("`{name}` is at {address}")], data }))
            }
            Some(Change::Remove { name }) => {
                let mut removed = None;
                Inventory::update(&path, |inventory| {
                    removed = inventory.remove(&name);
                    Ok(())
                })
                .or_exit(Exit::Configuration)?;
                let Some(address) = removed else {
                    let why = format!("the inventory has no `{name}`");
                    return Err(Failure::new(Exit::NoHost, why).hint("list the minions with `func hosts`"));
                };
                let data = json!({ "name": name, "address": address });
                Ok(Box::new(Lines { lines: vec![format!("took `{name}` out of the inventory")], data }))
            }
        }
    }
}

/// Enters a minion into the inventory. Two names at one address are likely a slip, and no error: a minion may be about to
/// get another name.
pub(super) fn enter(inventory: &Path, name: &HostName, address: &Address) -> Result<(), Failure> {
    let mut others = Vec::new();
    Inventory::update(inventory, |inventory| {
        inventory.add(name.clone(), address.clone());
        others = inventory.also_at(name);
        Ok(())
    })
    .or_exit(Exit::Configuration)?;
    if !others.is_empty() {
        let others = render::compress(&others);
        Context::warn(format!("{address} is the address of {others} too; only one of them can prove to be there"));
    }
    Ok(())
}

/// The chosen hosts; what chose each, and why it is skipped, stand beside it.
fn show(selection: &Selection, because: impl Fn(&HostName) -> Vec<String>) -> Box<dyn Report> {
    let listed = selection.hosts.iter().map(|host| (host, None));
    let skipped = selection.skipped.iter().map(|(host, reason)| (host, Some(reason.text().into_owned())));
    let mut all: Vec<(&Host, Option<String>)> = listed.chain(skipped).collect();
    all.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|(host, note)| {
            let note = note.as_ref().map(|note| format!("skipped: {note}")).unwrap_or_default();
            vec![host.name.to_string(), host.address.to_string(), because(&host.name).join("; "), note]
        })
        .collect();
    let data = all.iter().map(|(host, note)| {
        json!({ "name": host.name, "address": host.address, "chosen_by": because(&host.name), "skipped": note })
    });
    let table = render::table(&["host", "address", "chosen by", "state"], &rows, &[]);
    Box::new(Lines { lines: vec![table], data: data.collect() })
}
