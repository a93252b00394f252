//! `func module run`: one call on this machine, in the sandbox that a minion has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::load::{self, Loaded};
use super::rights::{Rights, as_options_and_asks};
use crate::access::{Bearer, Grant, Provenance};
use crate::author::{Case, signature_path};
use crate::cli::arguments;
use crate::cli::check::{would_fail, write_answer};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render;
use crate::cli::report::Report;
use crate::cli::secrets;
use crate::config::Period;
use crate::fleet::Outcome;
use crate::ids::{MethodName, MinionJobId, ModuleName};
use crate::minion::MinionConfig;
use crate::overlord::Parameter;
use crate::plugin::{CallContext, Denial, Events, Level, Limits, Metadata, Mode, Module, Trail};
use crate::wire::Value;

/// The folder of what modules keep that are tried out: what those of a minion keep is left alone.
const TRIALS: &str = "trials";

/// Call a method of a module here, in the sandbox that a minion has
///
/// Without MODULE it is the project in this folder. Nothing is granted unless it is said here. What the module logs, and how far it is, is shown on
/// standard error. Words after the method become what its types demand, as in `func call`. Of secrets a case holds
/// only that they were there.
#[derive(Debug, Args)]
#[command(override_usage = "func module run [OPTIONS] [MODULE] <METHOD> [ARGUMENT]...")]
pub(in crate::cli) struct Run {
    /// MODULE: a component, or a module's folder, which is built if it changed. METHOD: what to call, as MODULE.METHOD.
    /// ARGUMENT: with what
    #[arg(
        required = true,
        value_name = "MODULE METHOD ARGUMENT",
        allow_negative_numbers = true,
        hide_possible_values = true
    )]
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
    #[command(flatten, next_help_heading = "Grants")]
    rights: Rights,
}

/// The words of the command line: what, of which module, with what.
struct Wanted<'a> {
    path: PathBuf,
    method: MethodName,
    words: &'a [String],
}

impl<'a> Wanted<'a> {
    /// The first word is a module where there is such a file or folder, or where no method has a name like it;
    /// otherwise it is a method of the project here.
    fn read(words: &'a [String]) -> Result<Self, Failure> {
        let usage = |why: String| {
            Failure::new(Exit::Usage, why)
                .hint("write `func module run [MODULE] METHOD [ARGUMENT]...`, say `func module run . hello.greet you`")
        };
        let (first, rest) = words.split_first().ok_or_else(|| usage("say which method to call".to_owned()))?;
        let method = |text: &str| text.parse::<MethodName>();
        if !Path::new(first).exists() {
            if let (Ok(method), false) =
                (method(first), Path::new(first).extension().is_some_and(|end| end == "wasm") || first.contains('/'))
            {
                return Ok(Self { path: ".".into(), method, words: rest });
            }
            if rest.first().is_none_or(|second| method(second).is_err()) {
                return Err(usage(format!(
                    "`{first}` is neither a file, a folder nor a method's name like `hello.greet`"
                )));
            }
        }
        let (second, words) =
            rest.split_first().ok_or_else(|| usage(format!("say which method of `{first}` to call")))?;
        let method = method(second).map_err(|error| usage(error.to_string()))?;
        Ok(Self { path: first.into(), method, words })
    }
}

/// Says what an author does next about what was denied.
fn say_how_to_allow(denials: &[Denial]) {
    let told = denials.iter().filter_map(|denial| as_options_and_asks(denial.allow.as_deref()?));
    let (options, asks): (BTreeSet<String>, BTreeSet<String>) = told.unzip();
    if options.is_empty() {
        return;
    }
    let options = options.into_iter().collect::<Vec<_>>().join(" ");
    Context::say(format!("to try it here with that granted, add: {}", render::visible(&options)));
    Context::say(
        "for operators to see that the module needs it, name it in its Cargo.toml under [package.metadata.func.asks], or in \
         its module.toml under [asks]; --grants-from-asks grants that here:",
    );
    asks.iter().flat_map(|ask| ask.lines()).for_each(|line| Context::say(format!("    {}", render::visible(line))));
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
        let Wanted { path, method: name, words } = Wanted::read(&self.words)?;
        let loaded = load::with_method(context, &path, &name)?;
        let (module, method) = loaded.method(&name)?;
        let parameters: Vec<Parameter> = method.params.iter().map(Parameter::from).collect();
        let referred = secrets::Given::gather(words)?;
        let args = arguments::convert(&name, words, &parameters, &referred)
            .map_err(|error| Failure::new(Exit::Usage, error).hint(method.signature(&name.to_string())))?;
        let given = self.given(context, &loaded, module)?;
        say_grants(&module.name, &given.grant);
        let (outcome, denials) = self.call(&loaded, &name, &args, given, context.home.state().join(TRIALS))?;
        if let (false, Some(why)) = (context.json, outcome.why()) {
            why.lines().zip(["error: "].into_iter().chain(std::iter::repeat(""))).for_each(|(line, lead)| {
                Context::say(format!("{lead}{}", render::visible(line)));
            });
        }
        if !context.json {
            say_how_to_allow(&denials);
        }
        Ok(Box::new(Ran { method: name, outcome, check: self.check }))
    }

    fn given(&self, context: &Context, loaded: &Loaded, module: &Module) -> Result<Given, Failure> {
        let mut given = self.given_by_files(context, loaded, module)?;
        given.grant.extend(self.rights.grant().or_exit(Exit::Usage)?);
        Ok(given)
    }

    fn given_by_files(&self, context: &Context, loaded: &Loaded, module: &Module) -> Result<Given, Failure> {
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

    fn call(
        &self,
        loaded: &Loaded,
        method: &MethodName,
        args: &[Value],
        given: Given,
        state: PathBuf,
    ) -> Result<(Outcome, Vec<Denial>), Failure> {
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
        let called = Context::block_on(async { Ok(loaded.plugin.call_measured(method, args, call).await) })?;
        if let (Some(file), Trail::Recording(recording)) = (&self.record, &called.trail) {
            let case = Case::of_call(method.clone(), args, recording.clone(), &called.answer);
            write_new(file, &case.to_text())?;
        }
        let denials = called.budget.denials.clone();
        let outcome = called.into_answer().map_or_else(
            |error| {
                if let Some(trace) = error.trace() {
                    trace.lines().for_each(|line| Context::say(render::visible(line)));
                }
                Outcome::Failed(error.to_remote_error())
            },
            Outcome::Ok,
        );
        Ok((outcome, denials))
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
    let lists = grant.lists();
    if lists.is_empty() {
        Context::say(format!("{module} is granted nothing"));
    } else {
        let lists: Vec<_> = lists.iter().map(|(key, values)| format!("{key} = [{}]", values.join(", "))).collect();
        Context::say(format!("{module} is granted {}", lists.join(", ")));
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
