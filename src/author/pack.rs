//! What travels in a component besides its code.

use std::borrow::Cow;

use wasm_encoder::{ComponentSection as _, CustomSection};
use wasm_metadata::{AddMetadata, AddMetadataField};

use super::{error::Error, project::Project};
use crate::plugin::{DOCS_SECTION, MANIFEST_SECTION};

/// Adds name, version, description and licence, what it asks for, and the documented WIT package.
pub(super) fn pack(component: &[u8], project: &Project, docs: &[u8]) -> Result<Vec<u8>, Error> {
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(project.name.clone());
    metadata.processed_by = vec![("func".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let mut packed = metadata
        .to_wasm(component)
        .map_err(|error| Error::NotAComponent { module: project.name.clone(), source: error.into() })?;
    let about = [
        ("version", Some(&project.version)),
        ("description", project.description.as_ref()),
        ("licenses", project.license.as_ref()),
    ];
    for (name, text) in about {
        if let Some(text) = text {
            section(name, text.as_bytes()).append_to_component(&mut packed);
        }
    }
    let manifest = serde_json::to_vec(&project.manifest)
        .map_err(|source| Error::Manifest { path: project.folder.clone(), source })?;
    section(MANIFEST_SECTION, &manifest).append_to_component(&mut packed);
    section(DOCS_SECTION, docs).append_to_component(&mut packed);
    Ok(packed)
}

fn section<'a>(name: &'a str, data: &'a [u8]) -> CustomSection<'a> {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use wasmparser::{Parser, Payload};

    use super::*;
    use crate::plugin::Manifest;

    #[test]
    fn the_sections_lie_at_the_top_and_the_docs_come_last() {
        let project = Project {
            name: "disk".to_owned(),
            version: "1.2.3".to_owned(),
            description: Some("Disks".to_owned()),
            license: None,
            manifest: Manifest::default(),
            folder: PathBuf::new(),
        };
        let packed = pack(&wasm_encoder::Component::new().finish(), &project, b"docs").unwrap();
        let mut sections = Vec::new();
        for payload in Parser::new(0).parse_all(&packed) {
            if let Payload::CustomSection(section) = payload.unwrap() {
                sections.push((section.name().to_owned(), section.data().to_vec()));
            }
        }
        let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"component-name"), "{names:?}");
        assert!(sections.contains(&("version".to_owned(), b"1.2.3".to_vec())));
        assert!(sections.contains(&("description".to_owned(), b"Disks".to_vec())));
        assert!(!names.contains(&"licenses"));
        assert!(names.contains(&MANIFEST_SECTION));
        assert_eq!(sections.last(), Some(&(DOCS_SECTION.to_owned(), b"docs".to_vec())));
    }
}
