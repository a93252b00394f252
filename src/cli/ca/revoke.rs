//! `func ca revoke`: who is not believed any more.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::ca::{Authority, Entry, Inventory};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render::{clip, visible};
use crate::cli::report::{Lines, Report};
use crate::ids::Serial;
use crate::sys::durable;
use crate::tls::{CA_FILE, Identity, REVOCATIONS_FILE, Role};

/// Revoke certificates that were issued
///
/// Writes the signed list of everything that was revoked. Whoever has it as `crl.pem` beside its certificate heeds it:
/// this machine gets it at once, a minion reads it again whenever the file changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Revoke {
    /// A name, for all of its certificates, or the serial number of one, as `func ca list` shows them
    #[arg(value_name = "NAME|SERIAL")]
    who: String,
}

impl Revoke {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        let mut entries = authority.issued().or_exit(Exit::Configuration)?;
        let wanted = self.who.to_ascii_lowercase();
        entries.retain(|entry| entry.name.as_str() == wanted || entry.serial.as_str() == wanted);
        if entries.is_empty() {
            let why = format!("no certificate of `{}` was issued here", visible(&clip(&self.who)));
            return Err(Failure::new(Exit::Configuration, why).hint("list them with `func ca list`"));
        }
        let serials: Vec<Serial> = entries.iter().map(|entry| entry.serial.clone()).collect();
        let before = fs::read(context.home.authority().join(REVOCATIONS_FILE)).ok();
        let list = authority.revoke(&serials).or_exit(Exit::Configuration)?;
        let own = heed(&list, &context.home.identity(), &authority, before.as_deref())?;
        warn_of_own(context, &serials);
        Ok(Box::new(Lines {
            lines: lines(context, &entries, &list, own.as_deref()),
            data: json!({
                "revoked": entries.iter().map(|entry| json!({
                    "name": entry.name, "role": entry.role, "serial": entry.serial,
                })).collect::<Vec<_>>(),
                "list": list, "heeded_here": own.is_some(),
            }),
        }))
    }
}

fn lines(context: &Context, entries: &[Entry], list: &Path, own: Option<&Path>) -> Vec<String> {
    let revoked = |entry: &Entry| format!("revoked `{}` ({}), serial {}", entry.name, entry.role, entry.serial);
    let mut lines: Vec<String> = entries.iter().map(revoked).collect();
    lines.push(match own {
        Some(own) => format!("wrote {} and {}, which this machine heeds", list.display(), own.display()),
        None => format!("wrote {}", list.display()),
    });
    lines.push("next: copy it to identity/crl.pem below the state folder of every minion and overlord".to_owned());
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
/// that this replaces may be another authority's too, and stays.
fn heed(
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
    if present.is_some() && present.as_deref() != before {
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

fn warn_of_own(context: &Context, serials: &[Serial]) {
    let own = Identity::in_folder(&context.home.identity());
    if own.is_ok_and(|own| serials.contains(&own.peer().serial)) {
        Context::warn("this machine's own certificate is among them: it can call nobody until it has another");
    }
}
