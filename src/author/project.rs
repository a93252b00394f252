//! What an author says of a module, in whatever language it is written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    error::Error,
    module_toml,
    progress::{Progress, Step},
};
use crate::plugin::Manifest;

/// A module's project: what travels in the component besides its code and its documentation.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: Option<String>,
    pub(super) license: Option<String>,
    /// What it asks for.
    pub(super) manifest: Manifest,
    /// Its folder, with the WIT in `wit`.
    pub(super) folder: PathBuf,
}

/// The folder of the project that `folder` belongs to: itself, or the first above it that has the file of one, which
/// `progress` is told. As cargo finds its own.
pub fn project_folder(folder: &Path, progress: &dyn Progress) -> Result<PathBuf, Error> {
    if is_project(folder) {
        return Ok(folder.to_owned());
    }
    let whole = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
    if let Some(above) = whole.ancestors().skip(1).find(|above| is_project(above)) {
        progress.step(&Step::Project { path: above.to_owned() });
        return Ok(above.to_owned());
    }
    let entries = fs::read_dir(&whole).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut below: Vec<PathBuf> = entries.filter(|path| is_project(path)).collect();
    below.sort();
    Err(Error::NoProject {
        below: below.iter().filter_map(|path| path.file_name()).map(Into::into).collect(),
        path: whole,
    })
}

fn is_project(folder: &Path) -> bool {
    ["Cargo.toml", module_toml::FILE].iter().any(|file| folder.join(file).is_file())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<Step>>);

    impl Progress for Told {
        fn step(&self, step: &Step) {
            self.0.lock().unwrap().push(step.clone());
        }
    }

    #[test]
    fn a_project_is_found_above_and_one_below_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let project = top.join("hello");
        fs::create_dir_all(project.join("src/deep")).unwrap();
        fs::write(project.join("module.toml"), "").unwrap();
        let told = Told::default();
        assert_eq!(project_folder(&project, &told).unwrap(), project);
        assert!(told.0.lock().unwrap().is_empty(), "nobody is told what he has said");
        assert_eq!(project_folder(&project.join("src/deep"), &told).unwrap(), project);
        assert_eq!(*told.0.lock().unwrap(), [Step::Project { path: project.clone() }]);
        let none = project_folder(&top, &told).unwrap_err().to_string();
        assert!(none.ends_with("there is one in `hello`"), "{none}");
        assert!(matches!(project_folder(&top.join("none"), &told), Err(Error::File { .. })));
    }
}
