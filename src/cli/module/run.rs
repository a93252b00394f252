//! `func module run`: one call on this machine, in the sandbox that a minion has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::load::{self, Loaded};
use crate::access::{Bearer, Grant, Provenance};
use crate::author::{Case, signature_path};
use crate::cli::arguments::{self, Parameter};
use crate::cli::check::{would_fail, write_answer};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render;
use crate::cli::report::Report;
use crate::config::Period;
use crate::fleet::Outcome;
use crate::ids::{MethodName, MinionJobId, ModuleName};
use crate::minion::MinionConfig;
use crate::plugin::{CallContext, Events, Level, Limits, Metadata, Mode, Module, Trail};
use crate::wire::Value;

/// The folder of what modules keep that are tried out: what those of a minion keep is left alone.
const TRIALS: &str = "trials";

/// Call a method of a module here, in the sandbox that a minion has
///
/// Nothing is granted unless it is said here. What the module logs, and how far it is, is shown on
/// standard error. Words after the method become what its types demand, as in `func call`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// A component, or a module's folder, which is built if it changed
    module: PathBuf,
    /// What: MODULE.METHOD
    method: MethodName,
    /// With what
    #[arg(value_name = "ARGUMENT", allow_negative_numbers = true)]
    words: Vec<String>,
    /// Grant what this minion's configuration grants, with its settings and limits
    #[arg(long, value_name = "MINION.TOML", conflicts_with = "grants_from_asks")]
    grant_file: Option<PathBuf>,
    /// Grant all that the module asks for
    #[arg(long)]
    grants_from_asks: bool,
    /// Change nothing: tell what the method would do
    #[arg(long, alias = "dry-run")]
    check: bool,
    /// Write the call into this file: a case for `func module test`
    #[arg(long, value_name = "CASE.TOML", conflicts_with = "check")]
    record: Option<PathBuf>,
    /// How long the call may take
    #[arg(long, value_name = "PERIOD", default_value = "60s")]
    timeout: Period,
}

/// What the call gets besides its arguments.
#[derive(Default)]
struct Given {
    grant: Grant,
    settings: BTreeMap<String, String>,
    limits: Limits,
}

impl Run {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let loaded = load::with_method(&self.module, &self.method)?;
        let (module, method) = loaded.method(&self.method)?;
        let parameters: Vec<Parameter> = method.params.iter().map(Parameter::from).collect();
        let args = arguments::convert(&self.method.to_string(), &self.words, &parameters)
            .map_err(|error| Failure::new(Exit::Usage, error).hint(method.signature(&self.method.to_string())))?;
        let given = self.given(context, &loaded, module)?;
        say_grants(&module.name, &given.grant);
        let outcome = self.call(&loaded, &args, given, context.home.state().join(TRIALS))?;
        if let (false, Some(why)) = (context.json, outcome.why()) {
            why.lines().zip(["error: "].into_iter().chain(std::iter::repeat(""))).for_each(|(line, lead)| {
                Context::say(format!("{lead}{}", render::visible(line)));
            });
        }
        Ok(Box::new(Ran { method: self.method, outcome, check: self.check }))
    }

    fn given(&self, context: &Context, loaded: &Loaded, module: &Module) -> Result<Given, Failure> {
        if let Some(file) = &self.grant_file {
            let config = MinionConfig::load(file, &context.home).or_exit(Exit::Configuration)?;
            let mut settings = config.settings.get(&module.name).cloned().unwrap_or_default();
            settings.extend(config.settings.get(&module.full_name).cloned().unwrap_or_default());
            let artifact = &loaded.artifact;
            let signature = fs::read_to_string(signature_path(&artifact.path)).ok();
            let judged = config.trust().judge(&artifact.bytes, signature.as_deref());
            let grant = config.grants.for_bearer(Bearer {
                short: &module.name,
                full: &module.full_name,
                digest: Some(module.digest),
                // What a minion would refuse to load is tried out here all the same.
                provenance: &judged.unwrap_or(Provenance::Unsigned),
            });
            return Ok(Given { grant, settings, limits: config.limits.for_plugins() });
        }
        let mut given = Given::default();
        if self.grants_from_asks {
            given.grant = Metadata::read(&loaded.artifact.bytes).manifest.unwrap_or_default().asks;
        }
        Ok(given)
    }

    fn call(&self, loaded: &Loaded, args: &[Value], given: Given, state: PathBuf) -> Result<Outcome, Failure> {
        let mut call = CallContext::bare(MinionJobId::fresh().to_string(), "author", self.timeout.duration());
        call.grant = Arc::new(given.grant);
        call.settings = Arc::new(given.settings);
        call.limits = given.limits;
        call.state = Some(state.into());
        call.mode = match (self.check, &self.record) {
            (true, _) => Mode::Check,
            (false, Some(_)) => Mode::Record,
            (false, None) => Mode::Perform,
        };
        call.events = Arc::new(Shown);
        let called = Context::block_on(async { Ok(loaded.plugin.call_measured(&self.method, args, call).await) })?;
        if let (Some(file), Trail::Recording(recording)) = (&self.record, &called.trail) {
            let case = Case::of_call(self.method.clone(), args, recording.clone(), &called.answer);
            write_new(file, &case.to_text())?;
        }
        let answer = called.into_answer();
        Ok(answer.map_or_else(
            |error| {
                if let Some(trace) = error.trace() {
                    trace.lines().for_each(|line| Context::say(render::visible(line)));
                }
                Outcome::Failed(error.to_remote_error())
            },
            Outcome::Ok,
        ))
    }
}

/// Writes a case, and the folder for it. What a case has been edited to is not written over.
fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        let mut new = fs::File::create_new(file)?;
        new.write_all(text.as_bytes())
    });
    written.map_err(|error| Failure::new(Exit::Configuration, format!("cannot write `{}`: {error}", file.display())))
}

/// Says what is granted, as a minion's configuration would.
fn say_grants(module: &ModuleName, grant: &Grant) {
    let table = toml::to_string(grant).unwrap_or_default();
    let lines: Vec<&str> = table.lines().filter(|line| !line.ends_with("= []")).collect();
    if lines.is_empty() {
        Context::say(format!("{module} is granted nothing"));
    } else {
        Context::say(format!("{module} is granted {}", lines.join(", ")));
    }
}

/// Shows what a call logs, and how far it is.
struct Shown;

impl Events for Shown {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let mut line = format!("{level}: {message}");
        for (name, value) in fields {
            let _ =
                if value.contains('\n') { write!(line, " {name}:\n{value}") } else { write!(line, " {name}={value}") };
        }
        for line in line.lines() {
            let _ = writeln!(anstream::stderr(), "{}", render::visible(line));
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        let total = total.map(|total| format!(" of {total}")).unwrap_or_default();
        let line = format!("progress: {done}{total} {note}");
        let _ = writeln!(anstream::stderr(), "{}", render::visible(line.trim_end()));
    }
}

/// What became of the call.
struct Ran {
    method: MethodName,
    outcome: Outcome,
    /// Whether it tells only what would have been done.
    check: bool,
}

impl Report for Ran {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.outcome {
            Outcome::Ok(plan) if self.check => write_answer(plan, out),
            Outcome::Ok(value) => writeln!(out, "{}", render::value(value, 0)),
            // The error has been told on standard error.
            _ => Ok(()),
        }
    }

    fn json(&self) -> serde_json::Value {
        let mut data = self.outcome.to_json();
        data["method"] = json!(self.method);
        data
    }

    fn exit(&self) -> Exit {
        if self.outcome.is_ok() && !would_fail(&self.outcome) { Exit::Ok } else { Exit::SomeFailed }
    }
}
