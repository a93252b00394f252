//! From the process's arguments to its exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::context::Context;
use super::failure::Failure;
use super::report::Report;
use super::{
    acl, audit, ca, call, copy, daemon, demo, doc, doctor, facts, fetch, group, hosts, job, map, minion, module,
    modules, ping, schedule, sim, usage,
};
use crate::config::Home;
use crate::jobs;

const EXIT_CODES: &str = "\
Exit codes:
  0   all well, on every host
  1   some host failed, refused the call or did not answer; every one of them, too
  2   the command line makes no sense
  3   a configuration or an argument cannot be used
  4   no identity, or one that cannot be used
  5   the target matches no host
  6   no host could be reached
  7   still running: the wait timed out, or Ctrl-C left the job to itself
  70  a fault of Func's own
  130, 143  ended by Ctrl-C or SIGTERM before it was done

State and configuration lie in FUNC_HOME, or in /var/lib/func and /etc/func for root.";

/// Call typed methods on a fleet of machines, and know what became of every call.
#[derive(Debug, Parser)]
#[command(name = "func", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
struct Func {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
struct Shared {
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(call::Call),
    Copy(copy::Copy),
    Fetch(fetch::Fetch),
    #[command(subcommand)]
    Job(job::Job),
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    Ping(ping::Ping),
    Hosts(hosts::Hosts),
    #[command(subcommand)]
    Group(group::Group),
    Facts(facts::Facts),
    #[command(subcommand)]
    Map(map::Map),
    Doc(doc::Doc),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Ca(ca::Ca),
    #[command(subcommand)]
    Acl(acl::Acl),
    #[command(subcommand)]
    Audit(audit::Audit),
    #[command(subcommand)]
    Module(module::Module),
    Modules(modules::Modules),
    Daemon(daemon::Daemon),
    Minion(minion::Minion),
    Sim(sim::Sim),
    Demo(demo::Demo),
}

impl Command {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Call(command) => command.run(context),
            Self::Copy(command) => command.run(context),
            Self::Fetch(command) => command.run(context),
            Self::Job(command) => command.run(context),
            Self::Schedule(command) => command.run(context),
            Self::Ping(command) => command.run(context),
            Self::Hosts(command) => command.run(context),
            Self::Group(command) => command.run(context),
            Self::Facts(command) => command.run(context),
            Self::Map(command) => command.run(context),
            Self::Doc(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
            Self::Ca(command) => command.run(context),
            Self::Acl(command) => command.run(context),
            Self::Audit(command) => command.run(context),
            Self::Module(command) => command.run(context),
            Self::Modules(command) => command.run(context),
            Self::Daemon(command) => command.run(context),
            Self::Minion(command) => command.run(context),
            Self::Sim(command) => command.run(context),
            Self::Demo(command) => command.run(context),
        }
    }
}

/// `func`.
pub fn func() -> ExitCode {
    if let Some(code) = internal() {
        return code;
    }
    let parsed = Func::try_parse();
    match parsed {
        Ok(func) => finish(&context(func.shared.json), |context| func.command.run(context)),
        Err(error) => usage::answer(error),
    }
}

/// `funcd`: the same as `func minion`.
pub fn funcd() -> ExitCode {
    if let Some(code) = internal() {
        return code;
    }
    let command = minion::Minion::augment().name("funcd").version(env!("CARGO_PKG_VERSION"));
    match command.try_get_matches().and_then(|matches| minion::Minion::from_matches(&matches)) {
        Ok(minion) => finish(&context(false), |context| minion.run(context)),
        Err(error) => usage::answer(error),
    }
}

/// The word by which the daemon starts its fork server, handled before anything else: that process
/// must never have had a second thread.
fn internal() -> Option<ExitCode> {
    let word: OsString = std::env::args_os().nth(1)?;
    (word == jobs::FORK_SERVER_WORD).then(jobs::fork_server_main)
}

fn context(json: bool) -> Context {
    Context { home: Home::of_this_user(), json }
}

fn finish(context: &Context, run: impl FnOnce(&Context) -> Result<Box<dyn Report>, Failure>) -> ExitCode {
    let done = run(context).and_then(|report| context.print(report.as_ref()));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let _ = anstream::stderr().lock().write_all(failure.to_text(context.json).as_bytes());
            failure.exit().into()
        }
    }
}

/// The whole command line, for whoever writes it down.
pub fn command_line() -> clap::Command {
    <Func as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command_line().debug_assert();
    }
}
