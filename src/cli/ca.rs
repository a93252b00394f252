//! `func ca`: the certificate authority.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::hosts::enter;
use super::render;
use super::report::{Lines, Report};
use super::revoke::Revoke;
use crate::ca::{Address, Authority, Entry, IssueRequest, Issued};
use crate::ids::HostName;
use crate::tls::Role;

/// Run the authority that says who belongs to the fleet
#[derive(Debug, Subcommand)]
pub(super) enum Ca {
    Init(Init),
    Issue(Issue),
    List(List),
    Revoke(Revoke),
}

impl Ca {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Init(command) => command.run(context),
            Self::Issue(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
        }
    }
}

/// Make the authority, and this machine's own identity as an overlord
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The name in this machine's certificate
    #[arg(long, value_name = "NAME", default_value = "overlord")]
    overlord: HostName,
    /// The name in the authority's own certificate
    #[arg(long, value_name = "NAME", default_value = "Func CA")]
    name: String,
}

impl Init {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let (folder, identity) = (context.home.authority(), context.home.identity());
        let authority = Authority::init(&folder, &self.name).or_exit(Exit::Configuration)?;
        let issued =
            authority.issue(&IssueRequest::new(self.overlord.clone(), Role::Overlord)).or_exit(Exit::Configuration)?;
        issued.save(&identity).or_exit(Exit::Configuration)?;
        Ok(Box::new(Lines {
            lines: vec![
                format!("made a certificate authority in {}", folder.display()),
                format!("issued the overlord identity `{}` into {}", self.overlord, identity.display()),
                "next: func ca issue NAME --role minion --address HOST:PORT".to_owned(),
            ],
            data: json!({
                "authority": folder, "identity": identity, "overlord": self.overlord, "serial": issued.serial,
            }),
        }))
    }
}

/// Issue a certificate and its key
///
/// Writes `cert.pem`, `key.pem` and `ca.pem`. A minion with an address is entered into the
/// inventory.
#[derive(Debug, Args)]
pub(super) struct Issue {
    /// The name of the machine or person
    name: HostName,
    /// What the holder may do: overlord, sub-overlord, minion, reader or author
    #[arg(long)]
    role: Role,
    /// Where it listens; the first one is entered into the inventory
    #[arg(long, value_name = "HOST:PORT")]
    address: Vec<Address>,
    /// How long the certificate is valid, in days
    #[arg(long, default_value_t = IssueRequest::DAYS)]
    days: u32,
    /// Where to write the files [default: issued/NAME below the state folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Issue {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let out = self.out.unwrap_or_else(|| context.home.state().join("issued").join(self.name.as_str()));
        refuse_to_replace(&out)?;
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        let mut request = IssueRequest::new(self.name.clone(), self.role);
        request.addresses.clone_from(&self.address);
        request.days = self.days;
        let issued: Issued = authority.issue(&request).or_exit(Exit::Configuration)?;
        issued.save(&out).or_exit(Exit::Configuration)?;
        let mut lines = vec![format!("issued `{}` ({}) into {}", self.name, self.role, out.display())];
        if let (Role::Minion, Some(address)) = (self.role, self.address.first()) {
            enter(&context.home.inventory(), &self.name, address)?;
            lines.push(format!("entered `{}` at {address} into the inventory", self.name));
        }
        Ok(Box::new(Lines {
            lines,
            data: json!({
                "name": self.name, "role": self.role, "serial": issued.serial, "folder": out,
                "address": self.address.first(),
            }),
        }))
    }
}

/// A key that is in use is nowhere else: it is never overwritten.
fn refuse_to_replace(folder: &Path) -> Result<(), Failure> {
    let key = folder.join(crate::tls::KEY_FILE);
    if key.exists() {
        let why = format!("`{}` exists already and is left as it is", key.display());
        return Err(Failure::new(Exit::Configuration, why).hint("name another folder with --out, or move it away"));
    }
    Ok(())
}

/// List the certificates that were issued
#[derive(Debug, Args)]
pub(super) struct List {}

impl List {
    #[expect(clippy::unused_self, reason = "every command runs the same way")]
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        let entries = authority.issued().or_exit(Exit::Configuration)?;
        let revoked = authority.revoked().or_exit(Exit::Configuration)?;
        let now = jiff::Timestamp::now();
        let state = |entry: &Entry| match entry {
            entry if revoked.contains(&entry.serial) => "revoked",
            entry if entry.not_after < now => "expired",
            _ => "valid",
        };
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
                vec![
                    entry.name.to_string(),
                    entry.role.to_string(),
                    state(entry).to_owned(),
                    day(entry.issued),
                    day(entry.not_after),
                    entry.serial.to_string(),
                ]
            })
            .collect();
        let data = entries.iter().map(|entry| {
            let mut data = json!(entry);
            data["revoked"] = revoked.contains(&entry.serial).into();
            data["state"] = state(entry).into();
            data
        });
        let table = render::table(&["name", "role", "state", "issued", "until", "serial"], &rows, &[]);
        Ok(Box::new(Lines { lines: vec![table], data: data.collect() }))
    }
}
