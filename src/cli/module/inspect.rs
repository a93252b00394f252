//! `func module inspect`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::load;
use crate::author::Inspection;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::report::Report;

/// Show what a component is: its methods, what it asks for, and what its imports prove
#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// A component, or a module's folder, which is built if it changed
    #[arg(default_value = ".")]
    module: PathBuf,
}

impl Inspect {
    pub(super) fn run(self, _: &Context) -> Result<Box<dyn Report>, Failure> {
        Ok(Box::new(Inspected(load::inspections(&self.module)?)))
    }
}

struct Inspected(Vec<Inspection>);

impl Report for Inspected {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|inspection| write(inspection, out))
    }

    fn json(&self) -> serde_json::Value {
        json!(self.0)
    }
}

fn write(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    let facts = [
        ("file", Some(inspection.path.display().to_string())),
        ("name", inspection.name.clone()),
        ("version", inspection.version.clone()),
        ("description", inspection.description.clone()),
        ("licence", inspection.licence.clone()),
        ("sha256", Some(inspection.digest.to_string())),
        ("size", Some(format!("{} bytes", inspection.size))),
        ("does not load", inspection.misfit.clone()),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            writeln!(out, "{name}: {}", render::visible(&value))?;
        }
    }
    for module in &inspection.modules {
        writeln!(out, "module {} {}", render::visible(&module.full_name), render::visible(&module.version))?;
        for method in &module.methods {
            writeln!(out, "  {}", render::visible(&method.signature))?;
        }
        for (name, why) in &module.uncallable {
            writeln!(out, "  {name} cannot be called: {}", render::visible(why))?;
        }
    }
    writeln!(out, "asks for")?;
    let asks = toml::to_string(&inspection.asks).unwrap_or_default();
    let asks: Vec<String> = asks.lines().filter(|line| !line.ends_with("= []")).map(render::visible).collect();
    let chosen = inspection.operator_chooses.iter().map(|right| format!("{right}: what the operator chooses"));
    list(out, asks.into_iter().chain(chosen))?;
    writeln!(out, "its imports prove that it")?;
    list(out, inspection.uses.iter().map(|found| format!("{}: {}", found.what, render::visible(&found.by.join(", ")))))
}

/// Indented lines, or a word that there are none.
fn list(out: &mut dyn Write, lines: impl Iterator<Item = String>) -> io::Result<()> {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return writeln!(out, "  nothing of the machine");
    }
    lines.try_for_each(|line| writeln!(out, "  {line}"))
}
