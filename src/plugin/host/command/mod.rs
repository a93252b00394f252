//! `minion:host/command`: programs of the machine, without a shell.

mod capture;
mod program;
mod run;

use std::time::Duration;

use super::{
    Error,
    bindings::minion::host::command::{Host, Output, Spec, Status},
};
use crate::plugin::state::State;

impl Host for State {
    async fn run(&mut self, spec: Spec) -> Result<Output, Error> {
        let asked = spec.program.clone();
        run::check(&spec)?;
        let program = program::granted(&asked, &self.context.grant, &self.module)?;
        let wanted = spec.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        let bounds = run::Bounds {
            time: wanted.min(self.remaining()),
            bytes: self.context.limits.command_bytes,
            cancelled: self.cancellation(),
        };
        run::run(&program, spec, bounds).await
    }

    async fn find(&mut self, program: String) -> Result<Option<String>, Error> {
        program::find(&program)
    }
}

#[cfg(test)]
mod tests;
