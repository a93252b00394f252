//! `func ca renew`: new certificates in place of those that end, while minions serve.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::json;

use super::list::is_due;
use super::passphrase::PassphraseFile;
use crate::ca::{Authority, Entry, Host, IssueRequest, SigningRequest};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::fleet_options::{FleetOptions, overlord};
use crate::cli::render::visible;
use crate::cli::report::Report;
use crate::fleet::{Outcome, Selection, Target};
use crate::ids::{HostName, MethodName, Serial};
use crate::overlord::{CallOptions, Overlord};
use crate::tls::Role;
use crate::wire::Value;

/// Renew the certificates of minions that are due
///
/// A certificate is due when two thirds of its life have passed. Each minion makes a new key, the authority signs for it
/// over the identity that the minion has, and the minion serves with both at once, without a restart. Of a minion that is reached
/// through others, the request is signed with its own key, so that none of them can get a certificate in its name. This machine's own
/// certificate is renewed as well when it is due.
#[derive(Debug, Args)]
pub(in crate::cli) struct Renew {
    /// Whose: like `web*;db1` or `@web and not web1`
    #[arg(default_value = "*")]
    target: Target,
    /// Also those that are not due
    #[arg(long)]
    now: bool,
    /// How long each new certificate is valid, in days
    #[arg(long, default_value_t = IssueRequest::DAYS)]
    days: u32,
    #[command(flatten)]
    fleet: FleetOptions,
    #[command(flatten)]
    sealed: PassphraseFile,
}

/// What became of a host.
pub(super) enum Renewed {
    Until(String),
    NotDue(Timestamp),
    Failed(String),
}

impl Renewed {
    /// Why there is no new certificate.
    pub(super) fn failed(self) -> Option<String> {
        if let Self::Failed(why) = self { Some(why) } else { None }
    }
}

struct RenewReport(BTreeMap<HostName, Renewed>);

impl Renew {
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = self.sealed.authority(context)?;
        let own = authority.renew_own(&context.home.identity()).or_exit(Exit::Configuration)?;
        let issued = authority.issued().or_exit(Exit::Configuration)?;
        let revoked = authority.revoked().or_exit(Exit::Configuration)?;
        let overlord = overlord(context)?;
        let mut selection = self.fleet.select(&overlord, &self.target)?;
        let now = Timestamp::now();
        let mut report = BTreeMap::new();
        let mut certificates = BTreeMap::new();
        for host in &selection.hosts {
            match latest(&authority, &issued, &revoked, &host.name) {
                None => {
                    let why = "it has no certificate of this authority that is not revoked".to_owned();
                    report.insert(host.name.clone(), Renewed::Failed(why));
                }
                Some(entry) if !self.now && !is_due(entry, now) => {
                    report.insert(host.name.clone(), Renewed::NotDue(entry.not_after));
                }
                Some(entry) => drop(certificates.insert(host.name.clone(), entry.clone())),
            }
        }
        selection.hosts.retain(|host| certificates.contains_key(&host.name));
        for (host, reason) in &selection.skipped {
            report.insert(host.name.clone(), Renewed::Failed(format!("skipped: {}", reason.text())));
        }
        selection.skipped.clear();
        let options = self.fleet.call_options();
        let renewed = renew_hosts(&overlord, &authority, selection, certificates, self.days, options);
        report.extend(Context::block_on(renewed)?);
        if let Some(own) = own {
            let name: HostName = own.name.parse().or_exit(Exit::Internal)?;
            report.insert(name, Renewed::Until(own.not_after.to_string()));
        }
        Ok(Box::new(RenewReport(report)))
    }
}

/// The certificate of a minion that is renewed.
pub(super) fn latest<'a>(
    authority: &Authority,
    issued: &'a [Entry],
    revoked: &[Serial],
    name: &HostName,
) -> Option<&'a Entry> {
    let own = |entry: &&Entry| {
        entry.name == *name
            && matches!(entry.role, Role::Minion | Role::SubOverlord)
            && !revoked.contains(&entry.serial)
            && authority.is_believed(entry)
    };
    issued.iter().filter(own).max_by_key(|entry| entry.issued)
}

/// Has each host make a new key, signs for it, and has it taken into use.
pub(super) async fn renew_hosts(
    overlord: &Overlord,
    authority: &Authority,
    selection: Selection,
    certificates: BTreeMap<HostName, Entry>,
    days: u32,
    options: CallOptions,
) -> Result<BTreeMap<HostName, Renewed>, Failure> {
    let hosts = selection.hosts.clone();
    let mut renewed = BTreeMap::new();
    let mut requests = Box::pin(overlord.call(selection, &method("identity.csr")?, vec![], options)?);
    while let Some((name, outcome)) = requests.next().await {
        let Some(host) = hosts.iter().find(|host| host.name == name) else { continue };
        let become_of = match signed(authority, host, certificates.get(&name), &outcome, days) {
            Ok(certificate) => {
                let one = Selection { hosts: vec![host.clone()], ..Selection::default() };
                let answers = overlord.call(one, &method("identity.install")?, vec![certificate.into()], options)?;
                match Box::pin(answers).next().await {
                    Some((_, Outcome::Ok(value))) => Renewed::Until(until(&value)),
                    Some((_, outcome)) => Renewed::Failed(outcome.to_string()),
                    None => Renewed::Failed("it was not asked".to_owned()),
                }
            }
            Err(why) => Renewed::Failed(why),
        };
        renewed.insert(name, become_of);
    }
    Ok(renewed)
}

fn method(name: &str) -> Result<MethodName, Failure> {
    name.parse().or_exit(Exit::Internal)
}

/// A certificate for what a host answered, in the role and with the addresses of the one that it has.
fn signed(
    authority: &Authority,
    host: &Host,
    entry: Option<&Entry>,
    outcome: &Outcome,
    days: u32,
) -> Result<String, String> {
    let Outcome::Ok(Value::String(csr)) = outcome else { return Err(outcome.to_string()) };
    let entry = entry.ok_or("it was not asked")?;
    let request = SigningRequest::from_pem(csr.as_bytes()).map_err(|error| format!("its request: {error}"))?;
    if *request.name() != host.name {
        return Err(format!("it asks for the name `{}`", request.name()));
    }
    if !host.address.via().is_empty() {
        authority.check_own_word(csr.as_bytes(), &request).map_err(|error| error.to_string())?;
    }
    authority.renew(&request, entry.role, &entry.addresses, days).map_err(|error| error.to_string())
}

fn until(value: &Value) -> String {
    value.to_json()["until"].as_str().unwrap_or("?").to_owned()
}

impl Report for RenewReport {
    fn text(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        for (name, renewed) in &self.0 {
            match renewed {
                Renewed::Until(until) => writeln!(out, "{name}: renewed, until {}", visible(until))?,
                Renewed::NotDue(until) => writeln!(out, "{name}: not due, until {until:.0}")?,
                Renewed::Failed(why) => writeln!(out, "{name}: not renewed: {}", visible(why))?,
            }
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let host = |(name, renewed): (&HostName, &Renewed)| {
            let data = match renewed {
                Renewed::Until(until) => json!({ "state": "renewed", "until": until }),
                Renewed::NotDue(until) => json!({ "state": "not-due", "until": until }),
                Renewed::Failed(why) => json!({ "state": "failed", "why": why }),
            };
            (name.to_string(), data)
        };
        self.0.iter().map(host).collect::<serde_json::Map<_, _>>().into()
    }

    fn exit(&self) -> Exit {
        let failed = self.0.values().any(|renewed| matches!(renewed, Renewed::Failed(_)));
        if failed { Exit::SomeFailed } else { Exit::Ok }
    }
}
