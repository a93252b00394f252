//! `func ca show`: the authority, or what it knows of one name.

use clap::Args;
use serde_json::json;

use crate::ca::{Authority, State};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render::{clip, visible};
use crate::cli::report::{Lines, Report};

/// Show the authority, or all that it knows of a name
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// A name, or a serial number; the authority itself if there is none
    #[arg(value_name = "NAME|SERIAL")]
    who: Option<String>,
}

impl Show {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        match self.who {
            None => itself(&authority),
            Some(who) => known(&authority, &who),
        }
    }
}

fn itself(authority: &Authority) -> Result<Box<dyn Report>, Failure> {
    let issued = authority.issued().or_exit(Exit::Configuration)?.len();
    let revoked = authority.revoked().or_exit(Exit::Configuration)?.len();
    let requests = authority.requests().or_exit(Exit::Configuration)?;
    let waiting = requests.iter().filter(|request| request.state == State::Pending).count();
    let (fingerprint, days) = (authority.fingerprint(), authority.days_left());
    let rotation = authority.rotation().map_or("none", |rotation| rotation.stage.word());
    Ok(Box::new(Lines {
        lines: vec![
            format!("fingerprint  {fingerprint}"),
            format!("lasts        {days} days more"),
            format!("issued       {issued} certificates, of which {revoked} are revoked"),
            format!("waiting      {waiting} requests"),
            format!("rotation     {rotation}"),
        ],
        data: json!({
            "fingerprint": fingerprint, "days_left": days, "issued": issued, "revoked": revoked, "waiting": waiting,
            "rotation": rotation,
        }),
    }))
}

fn known(authority: &Authority, who: &str) -> Result<Box<dyn Report>, Failure> {
    let wanted = who.to_ascii_lowercase();
    let mut entries = authority.issued().or_exit(Exit::Configuration)?;
    entries.retain(|entry| entry.name.as_str() == wanted || entry.serial.as_str() == wanted);
    let mut requests = authority.requests().or_exit(Exit::Configuration)?;
    requests.retain(|request| request.name.as_str() == wanted);
    if entries.is_empty() && requests.is_empty() {
        let why = format!("nothing is known here of `{}`", visible(&clip(who)));
        return Err(Failure::new(Exit::Configuration, why).hint("list what is with `func ca list`"));
    }
    let revoked = authority.revoked().or_exit(Exit::Configuration)?;
    let mut lines = Vec::new();
    for entry in &entries {
        let note = if revoked.contains(&entry.serial) { ", revoked" } else { "" };
        lines.push(format!("`{}` ({}), serial {}{note}", entry.name, entry.role, entry.serial));
        lines.push(format!("  valid        {:.0} to {:.0}", entry.issued, entry.not_after));
        lines.push(format!("  certificate  {}", entry.fingerprint));
        if let Some(key) = entry.key {
            lines.push(format!("  key          {key}"));
        }
    }
    for request in &requests {
        let state = match request.state {
            State::Pending => "waits for `func ca sign`",
            State::Signed { .. } => "was signed",
            State::Denied => "was denied",
        };
        lines.push(format!("a request from {} of {:.0} {state}", request.from, request.first));
        lines.push(format!("  fingerprint  {}", authority.comparison(request)));
    }
    let data = json!({
        "certificates": entries.iter().map(|entry| {
            let mut data = json!(entry);
            data["revoked"] = revoked.contains(&entry.serial).into();
            data
        }).collect::<Vec<_>>(),
        "requests": requests.iter().map(|request| json!({
            "name": request.name, "fingerprint": authority.comparison(request), "key": request.key,
            "from": request.from, "first": request.first, "last": request.last, "address": request.address,
            "state": json!(request.state)["is"],
        })).collect::<Vec<_>>(),
    });
    Ok(Box::new(Lines { lines, data }))
}
