//! `minion:host/command`: programs of the machine, without a shell.
//!
//! To find a program, to judge it and to start it takes the disk, and the path is the module's choice:
//! all of that happens on threads that may block.

mod capture;
mod program;
mod run;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Access, Error, ErrorKind,
    bindings::minion::host::command::{Host, Output, Spec},
    blocking,
    call::{Effect, HostCall},
    error,
};
use crate::plugin::{
    plan::{self, Rehearsal},
    state::State,
};

pub(super) use super::bindings::minion::host::command::Status;

/// Where the program of a bare name is, for other interfaces.
pub(super) fn find(name: &str) -> Option<String> {
    program::find(name).ok().flatten()
}

/// Runs a program that another interface needs for what it was granted itself.
pub(super) async fn run_for_host(name: &str, args: &[&str], access: &Access) -> Result<Output, Error> {
    let spec = Spec {
        program: name.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
        stdin: None,
        timeout_ms: None,
    };
    let bounds = run::Bounds {
        time: access.remaining(),
        bytes: access.limits.command_bytes,
        cancelled: access.cancelled.clone(),
    };
    let running = blocking(move || {
        let missing = || error(ErrorKind::Unsupported, format!("there is no program `{}`", spec.program), None);
        let program = find(&spec.program).ok_or_else(missing)?;
        run::Running::start(&run::Prepared { program: program.into(), folder: None }, spec)
    });
    running.await?.until_its_end(bounds).await
}

/// Finds the program and the folder to start it in, and judges both and the variables.
fn prepare(spec: &Spec, access: &Access) -> Result<run::Prepared, Error> {
    let program = program::granted(&spec.program, &spec.args, &access.grant, &access.module)?;
    program::granted_variables(&spec.env, &access.grant, &access.module)?;
    let folder = spec.cwd.as_deref().filter(|cwd| *cwd != "/").map(|cwd| access.folder(cwd)).transpose()?;
    Ok(run::Prepared { program, folder })
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Run {
    spec: Spec,
}

impl HostCall for Run {
    const NAME: &'static str = "command.run";
    const EFFECT: Effect = Effect::Changes;
    type Answer = Output;

    async fn perform(self, access: Access) -> Result<Output, Error> {
        let Self { spec } = self;
        run::check(&spec)?;
        let wanted = spec.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        let bounds = run::Bounds {
            time: wanted.min(access.remaining()),
            bytes: access.limits.command_bytes,
            cancelled: access.cancelled.clone(),
        };
        let running = blocking(move || run::Running::start(&prepare(&spec, &access)?, spec));
        running.await?.until_its_end(bounds).await
    }

    /// A program that the grant says only reads is run; of another it is assumed that all goes well.
    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<Output, Error> {
        run::check(&self.spec)?;
        let arguments = Rehearsal::arguments(&self);
        let (judge, spec) = (access.clone(), self.spec.clone());
        let reads =
            blocking(move || Ok(program::only_reads(&prepare(&spec, &judge)?.program, &spec.args, &judge.grant)));
        match reads.await {
            Ok(true) => {
                rehearsal.add(Self::NAME, arguments, plan::Effect::RanReadOnly);
                self.perform(access).await
            }
            Ok(false) => {
                rehearsal.add(Self::NAME, arguments, plan::Effect::Run);
                let (stdout, stderr) = (Vec::new(), Vec::new());
                Ok(Output { status: Status::Exited(0), stdout, stderr, truncated: false, elapsed_ms: 0 })
            }
            Err(error) => Err(rehearsal.planned(Self::NAME, arguments, Err(error.clone())).err().unwrap_or(error)),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Find {
    program: String,
}

impl HostCall for Find {
    const NAME: &'static str = "command.find";
    const EFFECT: Effect = Effect::Looks;
    type Answer = Option<String>;

    async fn perform(self, _: Access) -> Result<Option<String>, Error> {
        blocking(move || program::find(&self.program)).await
    }
}

impl Host for State {
    async fn run(&mut self, spec: Spec) -> Result<Output, Error> {
        self.mediate(Run { spec }).await
    }

    async fn find(&mut self, program: String) -> Result<Option<String>, Error> {
        self.mediate(Find { program }).await
    }
}

#[cfg(test)]
mod tests;
