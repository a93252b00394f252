//! Runs checks that follow the rules of Nagios plugins.

mod output;
mod performance;

use exports::base::nagios::nagios::{CheckResult, Guest, State};
use func_sdk::{
    Error, ErrorKind, Result, checked,
    command::{Spec, Status, run},
    config, file, files,
    program::lossy,
};

func_sdk::module!(Nagios);

/// Where distributions put checks.
const FOLDERS: [&str; 4] = [
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/local/libexec/nagios",
];
const TIMEOUT: u32 = 60;

struct Nagios;

impl Guest for Nagios {
    fn list() -> Result<Vec<String>> {
        let entries = files::list_dir(&folder()?)?;
        let is_check = |entry: &files::Entry| entry.kind != files::Kind::Directory && entry.name.starts_with("check_");
        Ok(entries.into_iter().filter(is_check).map(|entry| entry.name).collect())
    }

    fn run(check: String, args: Option<Vec<String>>, timeout: Option<u32>) -> Result<CheckResult> {
        let check = checked::word("check", &check, "_-.")?;
        let args = args.unwrap_or_default();
        for arg in &args {
            checked::line("argument", arg)?;
        }
        let spec = Spec {
            program: format!("{}/{check}", folder()?),
            args,
            env: Vec::new(),
            cwd: None,
            stdin: None,
            timeout_ms: Some(u64::from(timeout.unwrap_or(TIMEOUT)) * 1000),
        };
        let output = run(&spec).map_err(|error| match error.kind {
            ErrorKind::NotFound => Error::no_such("check", check, "nagios.list"),
            _ => error,
        })?;
        let (state, code) = match output.status {
            Status::Exited(code) => (output::state(code), Some(code)),
            Status::Signalled(_) | Status::TimedOut => (State::Unknown, None),
        };
        let mut said = output::parse(&lossy(output.stdout));
        if said.message.is_empty() {
            said.message = match output.status {
                Status::TimedOut => "the check took too long".to_owned(),
                Status::Signalled(signal) => format!("the check was ended by signal {signal}"),
                Status::Exited(_) => checked::clipped(lossy(output.stderr).lines().next().unwrap_or_default(), 300),
            };
        }
        Ok(CheckResult {
            state,
            code,
            message: said.message,
            details: said.details,
            performance: performance::parse(&said.performance),
            elapsed_ms: output.elapsed_ms,
        })
    }
}

/// The folder that the operator set, else the first of the usual ones that is there.
fn folder() -> Result<String> {
    if let Some(folder) = config::get("folder") {
        return Ok(checked::path("setting `folder`", &folder)?.trim_end_matches('/').to_owned());
    }
    for folder in FOLDERS {
        if file::if_there(files::stat(folder))?.is_some() {
            return Ok(folder.to_owned());
        }
    }
    Err(Error::unsupported("this machine has no folder of checks").hint("name it in the setting `folder`"))
}
