//! `func ca sign` and `func ca deny`: the operator's word about those who wait.

use clap::Args;
use serde_json::json;

use super::passphrase::PassphraseFile;
use crate::ca::{Authority, IssueRequest, Pending};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::hosts::enter;
use crate::cli::report::{Lines, Report};
use crate::ids::HostName;

/// Sign the requests of machines that wait
///
/// Compare first: `func ca list --pending` shows for each the fingerprint that `funcd join` shows on the machine. A machine
/// that is signed is entered into the inventory, and gets its certificate when it asks next.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// Whose
    #[arg(required = true)]
    names: Vec<HostName>,
    /// How long each certificate is valid, in days
    #[arg(long, default_value_t = IssueRequest::DAYS)]
    days: u32,
    #[command(flatten)]
    sealed: PassphraseFile,
}

/// Deny the requests of machines that wait
///
/// The same key is told so when it asks again; another key may ask for the name.
#[derive(Debug, Args)]
pub(in crate::cli) struct Deny {
    /// Whose
    #[arg(required = true)]
    names: Vec<HostName>,
}

impl Sign {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = self.sealed.authority(context)?;
        let mut report = Lines { lines: Vec::new(), data: json!([]) };
        for name in &self.names {
            let signed = authority.sign_pending(name, self.days).or_exit(Exit::Configuration)?;
            let mut line = format!("signed `{name}`");
            if let Some(address) = &signed.address {
                enter(&context.home.inventory(), name, address)?;
                line = format!("{line} and entered it into the inventory at {address}");
            }
            note(&mut report, line, &authority, &signed);
        }
        Ok(Box::new(report))
    }
}

impl Deny {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        let mut report = Lines { lines: Vec::new(), data: json!([]) };
        for name in &self.names {
            let denied = authority.deny_pending(name).or_exit(Exit::Configuration)?;
            note(&mut report, format!("denied `{name}`"), &authority, &denied);
        }
        Ok(Box::new(report))
    }
}

fn note(report: &mut Lines, line: String, authority: &Authority, request: &Pending) {
    report.lines.push(line);
    if let Some(data) = report.data.as_array_mut() {
        data.push(json!({
            "name": request.name, "address": request.address, "fingerprint": authority.comparison(request),
        }));
    }
}
