//! `module.toml`: what Cargo.toml is to a module in Rust, for every other language.
//!
//! ```toml
//! name = "hello"
//! version = "0.1.0"
//! description = "Greets people"   # may be left out, and so may `license`
//! language = "python"
//! operator-chooses = []           # as in `[package.metadata.func]`
//!
//! [asks]
//! read = ["/etc/os-release"]
//! ```

use std::{fs, path::Path};

use serde::Deserialize;

use super::{error::Error, language::Language, name::ProjectName, project::Project};
use crate::{
    access::Grant,
    plugin::{Manifest, Right},
};

/// The file's name.
pub(super) const FILE: &str = "module.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ModuleToml {
    #[serde(deserialize_with = "parsed")]
    name: ProjectName,
    version: String,
    description: Option<String>,
    license: Option<String>,
    #[serde(deserialize_with = "parsed")]
    language: Language,
    #[serde(default)]
    asks: Grant,
    #[serde(default)]
    operator_chooses: Vec<Right>,
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Reads the project in a folder.
pub(super) fn read(folder: &Path) -> Result<(Project, Language), Error> {
    let path = folder.join(FILE);
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let ModuleToml { name, version, description, license, language, asks, operator_chooses } =
        toml::from_str(&text).map_err(|source| Error::ModuleToml { path, source: Box::new(source) })?;
    let manifest = Manifest { asks, operator_chooses };
    let name = name.as_str().to_owned();
    Ok((Project { name, version, description, license, manifest, folder: folder.to_owned() }, language))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "name = 'web-server'\nversion = '1.0.0'\nlanguage = 'python'\ndescription = 'Serves'\n\
                         operator-chooses = ['run']\n[asks]\nread = ['/etc/os-release']\n";

    fn project(text: &str) -> Result<(Project, Language), Error> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        read(folder.path())
    }

    #[test]
    fn everything_in_it_is_read() {
        let (project, language) = project(WHOLE).unwrap();
        assert_eq!((project.name.as_str(), project.version.as_str()), ("web-server", "1.0.0"));
        assert_eq!(project.description.as_deref(), Some("Serves"));
        assert_eq!((project.license, language), (None, Language::Python));
        assert_eq!(project.manifest.operator_chooses, [Right::Run]);
        assert_eq!(project.manifest.asks.read[0].as_str(), "/etc/os-release");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_where_it_stands() {
        for (written, wrong) in [
            ("web-server", "../../etc/x"),
            ("python", "perl"),
            ("'/etc/os-release'", "'os-release'"),
            ("[asks]", "[ask]"),
            ("version =", "# version ="),
        ] {
            assert!(WHOLE.contains(written));
            let refused = project(&WHOLE.replace(written, wrong)).unwrap_err();
            assert!(matches!(refused, Error::ModuleToml { .. }), "{wrong}: {refused}");
        }
    }
}
