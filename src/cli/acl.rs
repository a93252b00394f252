//! `func acl`: who may call what on a minion.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::outcomes::Outcomes;
use super::report::{Lines, Report};
use crate::access::{Asker, SubjectHash};
use crate::fleet::Target;
use crate::ids::MethodName;
use crate::minion::{MinionConfig, explain_offline};
use crate::tls::Role;
use crate::wire::Value;

/// Show who may call what, and why
#[derive(Debug, Subcommand)]
pub(super) enum Acl {
    List(List),
    Explain(Explain),
}

impl Acl {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Explain(command) => command.run(context),
        }
    }
}

fn config(context: &Context, named: Option<&PathBuf>) -> Result<MinionConfig, Failure> {
    let config = match named {
        Some(named) => MinionConfig::load(named, &context.home),
        None => MinionConfig::load_or_default(&context.home.minion_toml(), &context.home),
    };
    config.or_exit(Exit::Configuration)
}

/// List this minion's rules in the order in which they are tried
#[derive(Debug, Args)]
pub(super) struct List {
    /// Read this configuration instead of the usual one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl List {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let policy = config(context, self.config.as_ref())?.policy();
        let rules: Vec<String> = policy.rules().iter().map(ToString::to_string).collect();
        let acl: Vec<String> = policy.acl().iter().map(ToString::to_string).collect();
        let mut lines: Vec<String> = rules.iter().enumerate().map(|(at, rule)| format!("{}. {rule}", at + 1)).collect();
        lines.extend(acl.iter().cloned());
        lines.push("what none of them fits is denied".to_owned());
        Ok(Box::new(Lines { lines, data: json!({ "rules": rules, "acl": acl }) }))
    }
}

/// Say whether a caller may make a call, and the rule that decides
///
/// On a minion's machine its configuration and plugin folder are read; with --host running minions are asked, by the
/// rules that they have now. Exit code 1 where the call is denied.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The name in the caller's certificate
    caller: String,
    /// The method, for a job or a check with `async.` or `check.` before it
    method: String,
    /// The arguments; lists and structs as JSON
    args: Vec<String>,
    /// What the caller's certificate was issued for
    #[arg(long, default_value = "overlord")]
    role: Role,
    /// Ask these minions
    #[arg(long, value_name = "TARGET", conflicts_with = "config")]
    host: Option<Target>,
    /// Read this configuration instead of the usual one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl Explain {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let args: Vec<Value> = self.args.iter().map(|word| value(word)).collect();
        if let Some(target) = &self.host {
            let overlord = overlord(context)?;
            let selection = self.fleet.select(&overlord, target)?;
            let method: MethodName = "system.explain".parse().or_exit(Exit::Internal)?;
            let call = Value::structure([("method", Value::from(self.method.as_str())), ("args", Value::Array(args))]);
            let params = vec![self.caller.as_str().into(), self.role.word().into(), call];
            let hosts = Context::block_on(async {
                let answers = overlord.call(selection, &method, params, self.fleet.call_options())?;
                Ok(answers.collect().await)
            })?;
            return Ok(Box::new(Outcomes { method: method.to_string(), hosts }));
        }
        let config = config(context, self.config.as_ref())?;
        let policy = config.policy();
        let subject = Some(SubjectHash::of_common_name(&self.caller));
        let asker = Asker { name: &self.caller, role: Some(self.role), subject };
        let decision = explain_offline(&config, &policy, asker, &self.method, &args);
        Ok(Box::new(Explained { allowed: decision.allowed, because: decision.because.to_string() }))
    }
}

/// A word that begins a list or a struct in JSON is one; rules see texts and numbers alike.
fn value(word: &str) -> Value {
    let structure = word.starts_with(['[', '{']).then(|| serde_json::from_str(word).ok()).flatten();
    structure.map_or_else(|| word.into(), |json| Value::from_json(&json))
}

struct Explained {
    allowed: bool,
    because: String,
}

impl Report for Explained {
    fn text(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        writeln!(out, "{}: {}", if self.allowed { "allowed" } else { "denied" }, self.because)
    }

    fn json(&self) -> serde_json::Value {
        json!({ "allowed": self.allowed, "because": self.because })
    }

    fn exit(&self) -> Exit {
        if self.allowed { Exit::Ok } else { Exit::SomeFailed }
    }
}
