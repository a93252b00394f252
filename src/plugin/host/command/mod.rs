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
    Access, Error,
    bindings::minion::host::command::{Host, Output, Spec, Status},
    blocking,
    call::{Effect, HostCall},
};
use crate::plugin::{
    plan::{self, Rehearsal},
    state::State,
};

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
            cancelled: access.cancelled,
        };
        let (grant, module) = (access.grant, access.module);
        let running = blocking(move || {
            let program = program::granted(&spec.program, &spec.args, &grant, &module)?;
            program::granted_variables(&spec.env, &grant, &module)?;
            run::Running::start(&program, spec)
        });
        running.await?.until_its_end(bounds).await
    }

    /// A program that the grant says only reads is run; of another it is assumed that all goes well.
    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<Output, Error> {
        run::check(&self.spec)?;
        let arguments = Rehearsal::arguments(&self);
        let (grant, module, spec) = (access.grant.clone(), access.module.clone(), self.spec.clone());
        let reads = blocking(move || {
            let location = program::granted(&spec.program, &spec.args, &grant, &module)?;
            program::granted_variables(&spec.env, &grant, &module)?;
            Ok(program::only_reads(&location, &spec.args, &grant))
        });
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
