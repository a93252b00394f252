//! The steps of a build, on standard error.

use std::io::{self, Write};

use crate::author::{Progress, Step};

/// Shows the steps of a build.
pub(in crate::cli) struct Steps;

impl Progress for Steps {
    fn step(&self, step: &Step) {
        let _ = writeln!(anstream::stderr(), "{step}");
    }

    fn compiler(&self, line: &str) {
        let _ = writeln!(io::stderr(), "    {line}");
    }

    fn is_read(&self) -> bool {
        true
    }
}

/// Shows only what takes long or goes wrong: for commands whose subject is not the build.
pub(super) struct Work;

impl Progress for Work {
    fn step(&self, step: &Step) {
        match step {
            Step::Toolchain { .. } | Step::Unchanged { .. } | Step::Finished { .. } => {}
            other => Steps.step(other),
        }
    }

    fn compiler(&self, line: &str) {
        Steps.compiler(line);
    }

    fn is_read(&self) -> bool {
        true
    }
}
