//! `func ca`: the certificate authority.

mod decide;
mod list;
mod passphrase;
mod renew;
mod revoke;
mod rotate;
mod serve;
mod show;
mod token;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use passphrase::PassphraseFile;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::hosts::enter;
use super::report::{Lines, Report};
use crate::ca::{Address, Authority, IssueRequest, Issued};
use crate::ids::HostName;
use crate::tls::Role;

/// Run the authority that says who belongs to the fleet
#[derive(Debug, Subcommand)]
pub(super) enum Ca {
    Init(Init),
    Token(token::Token),
    Serve(serve::Serve),
    List(list::List),
    Show(show::Show),
    Sign(decide::Sign),
    Deny(decide::Deny),
    Issue(Issue),
    Passphrase(passphrase::SetPassphrase),
    Renew(renew::Renew),
    Revoke(revoke::Revoke),
    Rotate(rotate::Rotate),
}

impl Ca {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Init(command) => command.run(context),
            Self::Token(command) => command.run(context),
            Self::Serve(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Show(command) => command.run(context),
            Self::Sign(command) => command.run(context),
            Self::Deny(command) => command.run(context),
            Self::Issue(command) => command.run(context),
            Self::Passphrase(command) => command.run(context),
            Self::Renew(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
            Self::Rotate(command) => command.run(context),
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
    /// Seal the authority's key with a passphrase, which is asked for here and whenever something is signed; a passphrase
    /// file does the same without asking
    #[arg(long)]
    passphrase: bool,
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl Init {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let (folder, identity) = (context.home.authority(), context.home.identity());
        let passphrase = if self.passphrase || self.sealed.is_named() { Some(self.sealed.chosen()?) } else { None };
        let authority = Authority::init_with(&folder, &self.name, passphrase.as_ref()).or_exit(Exit::Configuration)?;
        let issued =
            authority.issue(&IssueRequest::new(self.overlord.clone(), Role::Overlord)).or_exit(Exit::Configuration)?;
        issued.save(&identity).or_exit(Exit::Configuration)?;
        Ok(Box::new(Lines {
            lines: vec![
                format!("made a certificate authority in {}", folder.display()),
                format!("issued the overlord identity `{}` into {}", self.overlord, identity.display()),
                "next: func ca serve, and for each new machine: func ca token --for NAME".to_owned(),
            ],
            data: json!({
                "authority": folder, "identity": identity, "overlord": self.overlord, "serial": issued.serial,
            }),
        }))
    }
}

/// Issue a certificate together with its key
///
/// For those who cannot run `funcd join`: there the key never leaves the machine. Writes `cert.pem`, `key.pem` and `ca.pem`. A minion with an address is entered into the
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
    #[command(flatten)]
    sealed: PassphraseFile,
}

impl Issue {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let out = self.out.unwrap_or_else(|| context.home.state().join("issued").join(self.name.as_str()));
        refuse_to_replace(&out)?;
        let authority = self.sealed.authority(context)?;
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
        lines.push(next_step(self.role, &self.name, &out));
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

/// What is to be done with the files.
fn next_step(role: Role, name: &HostName, out: &Path) -> String {
    let out = out.display();
    match role {
        Role::Minion | Role::SubOverlord => {
            format!(
                "next: move the files of {out} to /var/lib/func/identity/ on `{name}`, and start funcd there as root"
            )
        }
        Role::Overlord | Role::Reader => {
            format!(
                "next: move the files of {out} to the folder identity/ below the state folder of whoever is `{name}`"
            )
        }
        Role::Author => format!("next: give the files of {out} to `{name}`"),
    }
}
