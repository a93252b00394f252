//! Telling every minion, and noting what each says that it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::ca::Authority;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::fleet_options::{self, WarningOverlord};
use crate::fleet::{Outcome, Selection, Selector};
use crate::ids::{HostName, MethodName, Serial};
use crate::overlord::CallOptions;
use crate::wire::Value;

/// How long each minion has to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Every minion that is known.
    pub(super) hosts: Vec<HostName>,
    /// Who has not answered that it holds the statement, and why.
    pub(super) missing: BTreeMap<HostName, String>,
}

pub(super) fn options() -> CallOptions {
    CallOptions { timeout: Some(PATIENCE), ..CallOptions::default() }
}

/// All of them, to be called; nothing if there are none.
pub(super) fn everybody(context: &Context) -> Result<Option<(WarningOverlord, Selection)>, Failure> {
    let overlord = fleet_options::overlord(context)?;
    if overlord.hosts()?.is_empty() {
        return Ok(None);
    }
    let selection = overlord.select(&Selector::new(fleet_options::everybody()?))?;
    Ok(Some((overlord, selection)))
}

/// Brings the statements in force to everybody. Who has them already says so, and what certificate it shows.
pub(super) fn spread(context: &Context, authority: Authority) -> Result<(Authority, Answers), Failure> {
    let Some(trust) = authority.trust().or_exit(Exit::Configuration)? else {
        return Ok((authority, Answers::default()));
    };
    let Some((overlord, mut selection)) = everybody(context)? else { return Ok((authority, Answers::default())) };
    let hosts = selection.hosts.iter().map(|host| host.name.clone()).collect();
    let mut answers = Answers { hosts, missing: BTreeMap::new() };
    for (host, reason) in std::mem::take(&mut selection.skipped) {
        answers.hosts.push(host.name.clone());
        answers.missing.insert(host.name, reason.text().to_string());
    }
    answers.hosts.sort();
    let method: MethodName = "identity.trust".parse().or_exit(Exit::Internal)?;
    let outcomes: Vec<(HostName, Outcome)> = Context::block_on(async {
        Ok(overlord.call(selection, &method, vec![trust.to_pem().into()], options())?.collect().await)
    })?;
    let mut held = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Ok(value) => match holds(&value) {
                Some((number, serial)) => held.push((name, number, serial)),
                None => drop(answers.missing.insert(name, "its answer makes no sense".to_owned())),
            },
            outcome => drop(answers.missing.insert(name, outcome.to_string())),
        }
    }
    Ok((authority.note_held(held).or_exit(Exit::Configuration)?, answers))
}

fn holds(answer: &Value) -> Option<(u64, Serial)> {
    let answer = answer.to_json();
    Some((answer["number"].as_str()?.parse().ok()?, answer["serial"].as_str()?.parse().ok()?))
}
