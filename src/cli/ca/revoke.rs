//! `func ca revoke`: who is not believed any more.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use super::passphrase::PassphraseFile;
use crate::ca::{Authority, Entry, Inventory};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::fleet_options;
use crate::cli::render::{self, clip, visible};
use crate::cli::report::{Lines, Report};
use crate::fleet::{Outcome, Selector};
use crate::ids::{HostName, MethodName, Serial};
use crate::overlord::CallOptions;
use crate::sys::durable;
use crate::tls::{CA_FILE, Identity, REVOCATIONS_FILE, Role};

/// How long each minion has to take the list.
const PATIENCE: Duration = Duration::from_secs(10);

/// Revoke certificates that were issued
///
/// Writes the signed list of everything that was revoked, and brings it to every minion at once: from then on the revoked are
/// refused, also on connections that are open. A minion that cannot be reached gets it with the next call.
#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// A name, for all of its certificates, or the serial number of one, as `func ca list` shows them
    #[arg(value_name = "NAME|SERIAL")]
    who: String,
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl Revoke {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = self.sealed.authority(context)?;
        let mut entries = authority.issued().or_exit(Exit::Configuration)?;
        let wanted = self.who.to_ascii_lowercase();
        entries.retain(|entry| entry.name.as_str() == wanted || entry.serial.as_str() == wanted);
        if entries.is_empty() {
            let why = format!("no certificate of `{}` was issued here", visible(&clip(&self.who)));
            return Err(Failure::new(Exit::Configuration, why).hint("list them with `func ca list`"));
        }
        let revoked = authority.revoked().or_exit(Exit::Configuration)?;
        let serials: Vec<Serial> = entries.iter().map(|entry| entry.serial.clone()).collect();
        let before = fs::read(context.home.authority().join(REVOCATIONS_FILE)).ok();
        let list = authority.revoke(&serials).or_exit(Exit::Configuration)?;
        let own = heed(&list, &context.home.identity(), &authority, before.as_deref())?;
        let own_is_gone = warn_of_own(context, &serials);
        let brought = if own.is_some() && !own_is_gone { bring(context, &entries, &list) } else { Brought::default() };
        Ok(Box::new(Lines {
            lines: lines(context, &entries, &revoked, &list, own.as_deref(), &brought),
            data: json!({
                "revoked": entries.iter().map(|entry| json!({
                    "name": entry.name, "role": entry.role, "serial": entry.serial,
                })).collect::<Vec<_>>(),
                "list": list, "heeded_here": own.is_some(), "delivered": brought.to, "missing": brought.missing,
            }),
        }))
    }
}

/// Who has the list, and who has not.
#[derive(Debug, Default)]
struct Brought {
    to: Vec<HostName>,
    missing: BTreeMap<HostName, String>,
}

/// Brings the list to every minion but those that are revoked themselves.
fn bring(context: &Context, entries: &[Entry], list: &Path) -> Brought {
    let mut brought = Brought::default();
    let answers = || -> Result<Vec<(HostName, Outcome)>, Failure> {
        let overlord = fleet_options::overlord(context)?;
        let mut selection = overlord.select(&Selector::new(fleet_options::everybody()?))?;
        selection.hosts.retain(|host| !entries.iter().any(|entry| entry.name == host.name));
        let list = fs::read_to_string(list).or_exit(Exit::Configuration)?;
        let method: MethodName = "identity.crl".parse().or_exit(Exit::Internal)?;
        let options = CallOptions { timeout: Some(PATIENCE), ..CallOptions::default() };
        Context::block_on(async { Ok(overlord.call(selection, &method, vec![list.into()], options)?.collect().await) })
    };
    // No inventory, no identity: there is nobody to bring it to, or no way to.
    for (name, outcome) in answers().unwrap_or_default() {
        match outcome {
            Outcome::Ok(_) => brought.to.push(name),
            outcome => drop(brought.missing.insert(name, outcome.to_string())),
        }
    }
    brought.to.sort();
    brought
}

fn lines(
    context: &Context,
    entries: &[Entry],
    before: &[Serial],
    list: &Path,
    own: Option<&Path>,
    brought: &Brought,
) -> Vec<String> {
    let revoked = |entry: &Entry| {
        let Entry { name, role, serial, .. } = entry;
        if before.contains(serial) {
            format!("`{name}` ({role}), serial {serial}, was revoked before")
        } else {
            format!("revoked `{name}` ({role}), serial {serial}")
        }
    };
    let mut lines: Vec<String> = entries.iter().map(revoked).collect();
    lines.push(match own {
        Some(own) => format!("wrote {} and {}, which this machine heeds", list.display(), own.display()),
        None => format!("wrote {}", list.display()),
    });
    if !brought.to.is_empty() {
        lines.push(format!("brought it to {}", render::compress(&brought.to)));
    }
    for (name, why) in &brought.missing {
        lines.push(format!("`{name}` has not got it, and gets it with the next call: {}", visible(why)));
    }
    lines.push("other overlords need it too, as identity/crl.pem below their state folder".to_owned());
    let again = "`func ca token --for NAME`, or `func ca issue NAME` into an empty folder";
    lines.push(format!("for a new certificate of the same name: {again}"));
    let inventory = Inventory::load(&context.home.inventory()).unwrap_or_default();
    let mut minions: Vec<_> =
        entries.iter().filter(|entry| entry.role == Role::Minion).map(|entry| &entry.name).collect();
    minions.dedup();
    for name in minions.into_iter().filter(|name| inventory.address(name).is_some()) {
        lines.push(format!("`{name}` is in the inventory still: func hosts remove {name}"));
    }
    lines
}

/// Puts the list beside this machine's own certificate, if that is of the same authority. A list there that is not the one
/// that this replaces, and says something that this does not, may be another authority's too, and stays.
pub(super) fn heed(
    list: &Path,
    identity: &Path,
    authority: &Authority,
    before: Option<&[u8]>,
) -> Result<Option<PathBuf>, Failure> {
    let trusted = fs::read_to_string(identity.join(CA_FILE)).unwrap_or_default();
    if !trusted.contains(authority.certificate().trim()) {
        return Ok(None);
    }
    let own = identity.join(REVOCATIONS_FILE);
    let present = fs::read(&own).ok();
    let says_more = |identity: Identity| {
        let fresh = fs::read(list).ok().and_then(|text| identity.read_revocations(&text, list).ok());
        fresh.is_none_or(|fresh| fresh.goes_back_from(identity.revoked()))
    };
    let another = || present.as_deref() != before && Identity::in_folder(identity).map_or(true, says_more);
    if present.is_some() && another() {
        Context::warn(format!("`{}` holds another list and is left as it is; add the new one to it", own.display()));
        return Ok(None);
    }
    let written = fs::read(list).and_then(|text| durable::write_atomic(&own, &text, 0o644));
    written.map_err(|error| {
        let why = format!("the certificates are revoked, but `{}` cannot be written: {error}", own.display());
        Failure::new(Exit::Configuration, why).hint(format!("copy `{}` there", list.display()))
    })?;
    Ok(Some(own))
}

fn warn_of_own(context: &Context, serials: &[Serial]) -> bool {
    let own = Identity::in_folder(&context.home.identity());
    let gone = own.is_ok_and(|own| serials.contains(&own.peer().serial));
    if gone {
        Context::warn(
            "this machine's own certificate is among them: it can call nobody, and bring nobody the list, until it has another",
        );
    }
    gone
}
