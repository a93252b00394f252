//! A module's project, from nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{error::Error, language::Language, name::ProjectName, sdk};

/// What to begin, and where.
#[derive(Debug, Clone)]
pub struct NewProject {
    /// The module's name.
    pub name: ProjectName,
    /// The namespace of its WIT package: whose module it is.
    pub namespace: ProjectName,
    /// What it is written in.
    pub language: Language,
    /// The folder to make.
    pub folder: PathBuf,
}

impl NewProject {
    /// Writes the project. The folder must not exist, or be empty. Answers what was written, without the SDK.
    pub fn write(&self) -> Result<Vec<PathBuf>, Error> {
        if !is_free(&self.folder).map_err(Error::file("look into", &self.folder))? {
            return Err(Error::Exists { path: self.folder.clone() });
        }
        let mut written = Vec::new();
        for template in self.language.templates() {
            let path = PathBuf::from(self.filled(template.path));
            sdk::write(&self.folder.join(&path), &self.filled(template.text))?;
            written.push(path);
        }
        match self.language {
            Language::Rust => {
                sdk::write(&self.folder.join("Cargo.lock"), sdk::VERSIONS)?;
                sdk::write_sdk(&self.folder)?;
            }
            Language::Python | Language::JavaScript => sdk::write_interface(&self.folder)?,
        }
        Ok(written)
    }

    fn filled(&self, text: &str) -> String {
        let words = [
            ("{{name}}", self.name.as_str()),
            ("{{name_in_rust}}", &self.name.in_rust()),
            ("{{name_in_js}}", &self.name.in_js()),
            ("{{class}}", &self.name.as_a_class()),
            ("{{namespace}}", self.namespace.as_str()),
            ("{{namespace_in_rust}}", &self.namespace.in_rust()),
        ];
        words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }
}

fn is_free(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::{module_toml, wit_package::WitPackage};

    fn project(language: Language, folder: PathBuf) -> NewProject {
        let (name, namespace) = ("web-server".parse().unwrap(), "my-own".parse().unwrap());
        NewProject { name, namespace, language, folder }
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_the_wit_is_sound() {
        for (_, language) in Language::NAMES {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("new/web-server");
            let written = project(language, folder.clone()).write().unwrap();
            assert!(written.contains(&PathBuf::from("wit/web-server.wit")), "{written:?}");
            for path in &written {
                let text = fs::read_to_string(folder.join(path)).unwrap();
                assert!(!text.contains("{{"), "{}: {text}", path.display());
            }
            WitPackage::read(&folder.join("wit")).unwrap();
            assert!(folder.join("vendor/func-sdk/wit/job.wit").is_file());
            if language == Language::Rust {
                toml::from_str::<toml::Table>(&fs::read_to_string(folder.join("Cargo.toml")).unwrap()).unwrap();
            } else {
                let (project, told) = module_toml::read(&folder).unwrap();
                assert_eq!((project.name.as_str(), told), ("web-server", language));
            }
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "").unwrap();
        let refused = project(Language::Rust, folder.path().to_owned()).write().unwrap_err();
        assert!(matches!(refused, Error::Exists { .. }), "{refused}");
        assert!(matches!(project(Language::Rust, folder.path().join("mine")).write(), Err(Error::Exists { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
