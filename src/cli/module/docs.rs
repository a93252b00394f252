//! `func module docs`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::report::{Lines, Report};

/// Write a module's documentation as Markdown, from the component alone
#[derive(Debug, Args)]
pub(in crate::cli) struct Docs {
    /// A component, or a module's folder, which is built if it changed
    #[arg(default_value = ".")]
    module: PathBuf,
}

impl Docs {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let pages = load::inspections(context, &self.module)?;
        let markdown: Vec<String> = pages.iter().map(|(_, page)| page.to_markdown().trim_end().to_owned()).collect();
        let markdown = markdown.join("\n\n");
        let lines = markdown.lines().map(render::visible).collect();
        Ok(Box::new(Lines { lines, data: json!({ "markdown": markdown }) }))
    }
}
