//! `func module check`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load::Bench;
use super::steps::Work;
use crate::author::{self, Artifact, Finding, Severity};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::report::Report;

/// Find what a minion would refuse, and what a caller or an operator would stumble over
///
/// Checks the imports against this host, the documentation against the types, what the module asks
/// for against what it uses, and names. The exit code is 1 when there are errors.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// A component, or a module's folder, which is built if it changed
    #[arg(default_value = ".")]
    module: PathBuf,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let bench = Bench::open(context)?;
        let files = Artifact::of(&self.module, &Work)?.into_iter().map(|artifact| {
            let findings = author::check(&bench.engine, bench.cache.as_ref(), &artifact);
            (artifact.path, findings)
        });
        Ok(Box::new(Checked { files: files.collect(), strict: self.strict }))
    }
}

/// What was found, by file.
struct Checked {
    files: Vec<(PathBuf, Vec<Finding>)>,
    strict: bool,
}

impl Report for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (path, findings) in &self.files {
            for finding in findings {
                let Finding { severity, place, message, advice } = finding;
                let line = format!("{}: {place}: {message}", severity.as_str());
                writeln!(out, "{}", render::visible(&line))?;
                writeln!(out, "  {}", render::visible(advice))?;
            }
            let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
            let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
            let plural = |count: usize, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
            writeln!(out, "{}: {}, {}", path.display(), plural(errors, "error"), plural(warnings, "warning"))?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        self.files.iter().map(|(path, findings)| json!({ "path": path, "findings": findings })).collect()
    }

    fn exit(&self) -> Exit {
        let bad = if self.strict { Severity::Warning } else { Severity::Error };
        let found = self.files.iter().flat_map(|(_, findings)| findings).any(|finding| finding.severity >= bad);
        if found { Exit::SomeFailed } else { Exit::Ok }
    }
}
