//! `func module sdk`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::author;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::report::{Lines, Report};

/// Replace a project's copy of the SDK by that of this program
#[derive(Debug, Args)]
pub(in crate::cli) struct Sdk {
    /// The module's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Sdk {
    pub(super) fn run(self, _: &Context) -> Result<Box<dyn Report>, Failure> {
        let folder = author::update_sdk(&self.folder)?;
        let lines = vec![folder.display().to_string()];
        Ok(Box::new(Lines { lines, data: json!({ "folder": folder }) }))
    }
}
