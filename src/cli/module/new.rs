//! `func module new`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::author::{Language, NewProject, ProjectName};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::report::{Lines, Report};

/// Begin a module: a folder that builds, with one documented method and a test
///
/// The folder holds a copy of the SDK, so it builds on any machine that has `func` and the language's
/// tools.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  func module new hello\n  cd hello && func module build\n  \
                        func module run . hello.greet you")]
pub(in crate::cli) struct New {
    /// The module's name: words of small letters and digits, joined by `-`
    name: ProjectName,
    /// The language to write it in: rust, python or js
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
    /// Whose module it is: the namespace of its WIT package
    #[arg(long, value_name = "NAME", default_value = "local")]
    namespace: ProjectName,
    /// The folder to make [default: one of the module's name]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self, _: &Context) -> Result<Box<dyn Report>, Failure> {
        let folder = self.path.unwrap_or_else(|| self.name.as_str().into());
        let project =
            NewProject { name: self.name, namespace: self.namespace, language: self.lang, folder: folder.clone() };
        let files = project.write()?;
        let method = format!("{}.greet", project.name.as_str());
        Context::say(format!(
            "now: cd {} && func module build, then: func module run . {method} you",
            folder.display()
        ));
        let lines = files.iter().map(|file| folder.join(file).display().to_string()).collect();
        let data = json!({ "name": project.name.as_str(), "folder": folder, "files": files, "method": method });
        Ok(Box::new(Lines { lines, data }))
    }
}
