//! `func doctor`: what is wrong on this machine, and from an overlord with its fleet.
//!
//! Each check is a function that looks at one thing and answers findings. None changes anything, and none fails: what
//! cannot be looked at is a finding.

mod fences;
mod fleet;
mod identity;
mod minion;
mod schedules;

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::fleet_options::FleetOptions;
use super::render::visible;
use super::report::Report;
use crate::tls::{Identity, Role};

/// Look for what is wrong, or soon will be, and say what to do about it
///
/// On a minion: its certificates, clock, modes of files, rules, grants, modules, audit log, port and fences. On an overlord: its
/// certificates, modes of files, store, schedules, the names and ports of its minions, their clocks and their modules. Exit
/// code 1 when something is wrong.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Look at this machine only, ask no minion
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    fleet: FleetOptions,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// By which check.
    check: &'static str,
    /// Whether something is wrong now; otherwise it will be, or might be.
    wrong: bool,
    /// What.
    what: String,
    /// What to do.
    todo: String,
}

impl Finding {
    fn wrong(check: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, wrong: true, what: what.into(), todo: todo.into() }
    }

    fn note(check: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { wrong: false, ..Self::wrong(check, what, todo) }
    }
}

impl Doctor {
    /// Runs every check that means something here.
    #[expect(clippy::unnecessary_wraps, reason = "every command runs the same way")]
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let home = &context.home;
        let role = Identity::in_folder(&home.identity()).ok().and_then(|identity| identity.peer().role);
        let is_overlord = home.authority().exists() || home.inventory().exists() || role == Some(Role::Overlord);
        let is_minion = home.minion_toml().exists() || matches!(role, Some(Role::Minion | Role::SubOverlord));
        let mut checked = vec!["identity", "modes"];
        let (mut findings, mut fences) = (identity::modes(context), None);
        if is_minion {
            checked.extend(minion::CHECKS);
            let found = minion::check(context);
            fences = found.1;
            findings.extend(found.0);
        } else {
            findings.extend(identity::certificates(&home.identity()));
        }
        if is_overlord {
            checked.extend(fleet::CHECKS);
            findings.extend(identity::issued(home));
            findings.extend(fleet::check(context, (!self.offline).then_some(&self.fleet)));
        }
        if !is_minion && !is_overlord {
            let todo = "run `func ca init` to make this an overlord, or put a minion's identity here";
            findings.push(Finding::wrong("identity", "this is neither a minion nor an overlord", todo));
        }
        findings.sort_by_key(|finding| !finding.wrong);
        Ok(Box::new(Examined { checked, findings, fences }))
    }
}

struct Examined {
    checked: Vec<&'static str>,
    findings: Vec<Finding>,
    /// Which fences are up, on a minion.
    fences: Option<String>,
}

impl Report for Examined {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.findings {
            let mark = if finding.wrong { "!" } else { "-" };
            writeln!(out, "{mark} {}: {}", finding.check, visible(&finding.what))?;
            writeln!(out, "    {}", visible(&finding.todo))?;
        }
        if let Some(fences) = &self.fences {
            writeln!(out, "fences: {fences}")?;
        }
        let wrong = self.findings.iter().filter(|finding| finding.wrong).count();
        writeln!(out, "checked: {}", self.checked.join(", "))?;
        match wrong {
            0 => writeln!(out, "nothing is wrong"),
            1 => writeln!(out, "1 thing is wrong"),
            many => writeln!(out, "{many} things are wrong"),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "checked": self.checked, "findings": self.findings, "fences": self.fences })
    }

    fn exit(&self) -> Exit {
        if self.findings.iter().any(|finding| finding.wrong) { Exit::SomeFailed } else { Exit::Ok }
    }
}
