//! `func module`: the tools of module authors.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::report::{Lines, Report};
use crate::author::{self, BuildRequest, Progress, Step};

/// Build modules
#[derive(Debug, Subcommand)]
pub(super) enum Module {
    Build(Build),
}

impl Module {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Build(command) => command.run(context),
        }
    }
}

/// Build a crate to a component that minions take, with its documentation packed in
///
/// Uses a Rust toolchain that has the WebAssembly target, adds the target with rustup, or makes a
/// private toolchain from the distribution's packages.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The module's folder, or a workspace of modules
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where to write the components [default: target/modules in that folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use the Rust toolchain in this folder
    #[arg(long, value_name = "DIR")]
    toolchain: Option<PathBuf>,
}

impl Build {
    fn run(self, _: &Context) -> Result<Box<dyn Report>, Failure> {
        let out_dir = self.out.unwrap_or_else(|| self.folder.join("target/modules"));
        let request = BuildRequest { crate_dir: self.folder, out_dir, toolchain: self.toolchain };
        let built = author::build(&request, &Steps)?;
        let lines = built
            .iter()
            .map(|module| {
                format!("{} {}  {}  {}", module.name, module.version, module.digest.short(), module.path.display())
            })
            .collect();
        Ok(Box::new(Lines { lines, data: json!(built) }))
    }
}

/// Shows the steps of a build on standard error.
pub(super) struct Steps;

impl Progress for Steps {
    fn step(&self, step: &Step) {
        let _ = writeln!(anstream::stderr(), "{step}");
    }

    fn compiler(&self, line: &str) {
        let _ = writeln!(io::stderr(), "    {line}");
    }
}

impl From<author::Error> for Failure {
    fn from(error: author::Error) -> Self {
        let hint = error.hint();
        let failure = Self::new(Exit::Configuration, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
