//! `func module inspect`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{load, verify};
use crate::access::{Provenance, Signers, Untrusted};
use crate::author::{Artifact, Inspection, signature_path};
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
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let signers = verify::known(context)?;
        let inspected = load::inspections(context, &self.module)?.into_iter();
        let sheets = inspected.map(|(artifact, inspection)| {
            let signed = Signed::read(&signers, &artifact);
            (inspection, signed)
        });
        Ok(Box::new(Inspected(sheets.collect())))
    }
}

/// What a component's signature is worth here.
struct Signed {
    /// The key's id, where it is known.
    key: Option<String>,
    /// The name that this machine has for its owner.
    signer: Option<String>,
    /// In words.
    words: String,
}

impl Signed {
    fn read(signers: &Signers, artifact: &Artifact) -> Self {
        let nobody = |words: String| Self { key: None, signer: None, words };
        let text = match fs::read_to_string(signature_path(&artifact.path)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return nobody("nobody".to_owned()),
            Err(error) => return nobody(format!("not known: its signature cannot be read: {error}")),
        };
        match signers.judge(&artifact.bytes, Some(&text)) {
            Ok(Provenance::Signed { key, name }) => {
                let id = key.id().to_string();
                let who = name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
                Self { words: format!("the key {id}{who}"), signer: name.map(|name| name.to_string()), key: Some(id) }
            }
            Ok(Provenance::Unsigned) | Err(Untrusted::Unsigned) => nobody("nobody".to_owned()),
            Err(Untrusted::Stranger { key }) => {
                Self { key: Some(key.to_string()), ..nobody(format!("the key {key}, which is not known here")) }
            }
            Err(Untrusted::Mismatch { key }) => {
                nobody(format!("nobody: its signature, which names the key {key}, is not of these bytes"))
            }
            Err(Untrusted::Malformed { source }) => nobody(format!("nobody: its signature cannot be read: {source}")),
        }
    }
}

struct Inspected(Vec<(Inspection, Signed)>);

impl Report for Inspected {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|(inspection, signed)| write(inspection, signed, out))
    }

    fn json(&self) -> serde_json::Value {
        let sheet = |(inspection, signed): &(Inspection, Signed)| {
            let mut sheet = json!(inspection);
            sheet["signed_by"] = json!({ "key": signed.key, "signer": signed.signer, "words": signed.words });
            sheet
        };
        self.0.iter().map(sheet).collect()
    }
}

fn write(inspection: &Inspection, signed: &Signed, out: &mut dyn Write) -> io::Result<()> {
    let facts = [
        ("file", Some(inspection.path.display().to_string())),
        ("name", inspection.name.clone()),
        ("version", inspection.version.clone()),
        ("description", inspection.description.clone()),
        ("licence", inspection.licence.clone()),
        ("sha256", Some(inspection.digest.to_string())),
        ("signed by", Some(signed.words.clone())),
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
    let asks: Vec<String> = inspection.asks.to_toml().iter().map(|line| render::visible(line)).collect();
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
