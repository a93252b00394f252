//! `func ca list`: what was issued, and who waits.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::ca::{Authority, Entry, State};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render;
use crate::cli::report::{Lines, Report};

/// List the certificates that were issued, or the requests that wait
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The requests that wait for `func ca sign`, each with the words that `funcd join` shows on the machine itself
    #[arg(long)]
    pending: bool,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let authority = Authority::open(&context.home.authority()).or_exit(Exit::Configuration)?;
        if self.pending { pending(&authority) } else { issued(&authority) }
    }
}

/// A certificate that has used up two thirds of its life should be replaced.
pub(super) fn is_due(entry: &Entry, now: Timestamp) -> bool {
    let (age, life) = (now.duration_since(entry.issued), entry.not_after.duration_since(entry.issued));
    age.as_secs().saturating_mul(3) >= life.as_secs().saturating_mul(2)
}

fn state(authority: &Authority, entry: &Entry, revoked: bool, now: Timestamp) -> &'static str {
    match () {
        () if revoked => "revoked",
        () if !authority.is_believed(entry) => "given up",
        () if entry.not_after < now => "expired",
        () if is_due(entry, now) => "due",
        () => "valid",
    }
}

fn issued(authority: &Authority) -> Result<Box<dyn Report>, Failure> {
    let entries = authority.issued().or_exit(Exit::Configuration)?;
    let revoked = authority.revoked().or_exit(Exit::Configuration)?;
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
            vec![
                entry.name.to_string(),
                entry.role.to_string(),
                state(authority, entry, revoked.contains(&entry.serial), now).to_owned(),
                day(entry.issued),
                day(entry.not_after),
                entry.serial.to_string(),
            ]
        })
        .collect();
    let data = entries.iter().map(|entry| {
        let mut data = json!(entry);
        data["revoked"] = revoked.contains(&entry.serial).into();
        data["state"] = state(authority, entry, revoked.contains(&entry.serial), now).into();
        data
    });
    let table = render::table(&["name", "role", "state", "issued", "until", "serial"], &rows, &[]);
    Ok(Box::new(Lines { lines: vec![table], data: data.collect() }))
}

fn pending(authority: &Authority) -> Result<Box<dyn Report>, Failure> {
    let mut waiting = authority.requests().or_exit(Exit::Configuration)?;
    waiting.retain(|pending| pending.state == State::Pending);
    let address = |pending: &crate::ca::Pending| pending.address.as_ref().map(ToString::to_string);
    let rows: Vec<Vec<String>> = waiting
        .iter()
        .map(|pending| {
            vec![
                pending.name.to_string(),
                authority.comparison(pending),
                pending.from.to_string(),
                address(pending).unwrap_or_default(),
                pending.last.strftime("%Y-%m-%d %H:%M").to_string(),
            ]
        })
        .collect();
    let data = waiting.iter().map(|pending| {
        json!({
            "name": pending.name, "fingerprint": authority.comparison(pending), "key": pending.key, "from": pending.from,
            "address": pending.address, "first": pending.first, "last": pending.last,
        })
    });
    let lines = if rows.is_empty() {
        vec!["nobody waits to be signed".to_owned()]
    } else {
        vec![
            render::table(&["name", "fingerprint", "from", "listens at", "last asked"], &rows, &[]),
            "next: compare each fingerprint with what `funcd join` shows there, then func ca sign NAME, or deny"
                .to_owned(),
        ]
    };
    Ok(Box::new(Lines { lines, data: data.collect() }))
}
