//! `func module build`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{sign, steps::Steps};
use crate::author::{self, BuildRequest};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::report::{Lines, Report};

/// Build a module to a component that minions take, with its documentation packed in, and sign it
///
/// For a folder with a Cargo.toml, uses a Rust toolchain that has the WebAssembly target, adds the target with rustup, or makes a
/// private toolchain from the distribution's packages. A folder with a module.toml is built by
/// componentize-py or componentize-qjs, the project's own or that on the PATH. FILE.minisig beside each component is the
/// signature, made as `func module sign` does.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
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
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let folder = author::project_folder(&self.folder, &Steps)?;
        let out_dir = self.out.unwrap_or_else(|| author::default_output(&folder));
        let request = BuildRequest { crate_dir: folder, out_dir, toolchain: self.toolchain };
        let built = author::build(&request, &Steps)?;
        sign::sign_built(context, built.iter().map(|module| module.path.as_path()))?;
        let lines = built
            .iter()
            .map(|module| {
                format!("{} {}  {}  {}", module.name, module.version, module.digest.short(), module.path.display())
            })
            .collect();
        Ok(Box::new(Lines { lines, data: json!(built) }))
    }
}
