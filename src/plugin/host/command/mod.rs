//! `minion:host/command`: programs of the machine, without a shell.
//!
//! To find a program, to judge it and to start it takes the disk, and the path is the module's choice:
//! all of that happens on threads that may block.

mod capture;
mod program;
mod run;

use std::{sync::Arc, time::Duration};

use super::{
    Error,
    bindings::minion::host::command::{Host, Output, Spec, Status},
    blocking,
};
use crate::plugin::state::State;

impl Host for State {
    async fn run(&mut self, spec: Spec) -> Result<Output, Error> {
        run::check(&spec)?;
        let wanted = spec.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        let bounds = run::Bounds {
            time: wanted.min(self.remaining()),
            bytes: self.context.limits.command_bytes,
            cancelled: self.cancellation(),
        };
        let (grant, module) = (Arc::clone(&self.context.grant), self.module.clone());
        let running = blocking(move || {
            let program = program::granted(&spec.program, &grant, &module)?;
            run::Running::start(&program, spec)
        });
        running.await?.until_its_end(bounds).await
    }

    async fn find(&mut self, program: String) -> Result<Option<String>, Error> {
        blocking(move || program::find(&program)).await
    }
}

#[cfg(test)]
mod tests;
