//! A module as its author names it: a component's file, or the folder of the crate that it is built from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{build::BuildRequest, cached::build_if_changed, error::Error, progress::Progress, project::project_folder};

/// A component that is there.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its file.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// The components that `path` names. A folder is built first, unless nothing in it has changed since.
    pub fn of(path: &Path, progress: &dyn Progress) -> Result<Vec<Self>, Error> {
        if !path.is_dir() {
            return Self::read(path.to_owned()).map(|artifact| vec![artifact]);
        }
        let crate_dir = project_folder(path, progress)?;
        let out_dir = default_output(&crate_dir);
        let request = BuildRequest { crate_dir, out_dir, toolchain: None };
        let built = build_if_changed(&request, &[], progress)?;
        built.into_iter().map(|built| Self::read(built.path)).collect()
    }

    fn read(path: PathBuf) -> Result<Self, Error> {
        let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
        Ok(Self { path, bytes })
    }
}

/// Where the components of a folder go when nobody says otherwise.
pub fn default_output(folder: &Path) -> PathBuf {
    folder.join("target/modules")
}
