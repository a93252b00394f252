//! What a file in the plugin folder is, before anything is compiled.

use std::path::{Path, PathBuf};

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator, WasmFeatures};

use super::{error::Error, reflect::InterfaceId, registry::files};
use crate::ids::ModuleName;

/// The plugin files of a folder, each with the names of its modules, short and in full. Nothing is compiled
/// or written.
pub fn modules_in(folder: &Path) -> Vec<(PathBuf, Result<Vec<ModuleName>, Error>)> {
    let files = files::list(folder).unwrap_or_default();
    let modules = |path: &PathBuf| files::read(path).and_then(|bytes| modules_of(&bytes));
    files.into_keys().map(|path| (path.clone(), modules(&path))).collect()
}

fn modules_of(bytes: &[u8]) -> Result<Vec<ModuleName>, Error> {
    component(bytes)?;
    let damaged = |error: wasmparser::BinaryReaderError| Error::Damaged { why: error.to_string() };
    let (mut names, mut depth) = (Vec::new(), 0usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    let export = export.map_err(damaged)?;
                    if export.kind == ComponentExternalKind::Instance
                        && let Some(id) = InterfaceId::of_module(export.name.name)
                    {
                        names.extend([id.short.parse()?, id.full.parse()?]);
                    }
                }
            }
            _ => {}
        }
    }
    if names.is_empty() { Err(Error::NoModule) } else { Ok(names) }
}

/// Refuses what is not a whole, valid component, and says which of the usual accidents it is.
pub(super) fn component(bytes: &[u8]) -> Result<(), Error> {
    is_component(bytes)?;
    match Validator::new_with_features(WasmFeatures::all()).validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::Damaged { why: error.to_string() }),
    }
}

/// Refuses what does not even begin as a component does.
pub(super) fn is_component(bytes: &[u8]) -> Result<(), Error> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    if !bytes.starts_with(&b"\0asm"[..bytes.len().min(4)]) {
        return Err(Error::NotWasm);
    }
    if bytes.len() < 8 {
        return Err(Error::Damaged { why: format!("it ends after {} bytes", bytes.len()) });
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(wasmparser::Payload::Version { encoding: Encoding::Module, .. })) => Err(Error::CoreModule),
        Some(Err(error)) => Err(Error::Damaged { why: error.to_string() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_accident_has_its_own_message() {
        let whole = wat::parse_str("(component (core module $m) (component))").unwrap();
        assert!(component(&whole).is_ok());
        assert!(matches!(component(b""), Err(Error::Empty)));
        assert!(matches!(component(b"#!/bin/sh"), Err(Error::NotWasm)));
        assert!(matches!(component(&wat::parse_str("(module)").unwrap()), Err(Error::CoreModule)));
        for length in 1..whole.len() {
            // A component cut at the end of a section can be valid; it must only never be a surprise.
            match component(&whole[..length]) {
                Err(Error::Damaged { .. }) => {}
                Ok(()) => assert!(length >= 8),
                Err(other) => panic!("cut at {length}: {other}"),
            }
        }
    }
}
