//! From a project, or a workspace of crates, to components.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    cargo, componentizer,
    error::Error,
    language::Language,
    module_toml,
    pack::pack,
    progress::{Progress, Step},
    project::{Project, project_folder},
    toolchain::Toolchain,
    wit_package::WitPackage,
};
use crate::{ids::Digest, sys::durable};

/// What to build and where to put it.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The project's folder, or that of a workspace of crates: then all of them that make modules are built.
    pub crate_dir: PathBuf,
    /// The folder for the components, each named after its project. It is made if it is missing.
    pub out_dir: PathBuf,
    /// The folder of the Rust toolchain to use for crates (its `bin/rustc`); found or made when not given.
    pub toolchain: Option<PathBuf>,
}

/// A finished component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The project's name.
    pub name: String,
    /// The project's version.
    pub version: String,
    /// The component's file.
    pub path: PathBuf,
    /// The digest of the file.
    pub digest: Digest,
    /// The size of the file in bytes.
    pub size: u64,
}

/// Builds. The components are complete or absent: each is renamed into place when it is finished.
pub fn build(request: &BuildRequest, progress: &dyn Progress) -> Result<Vec<Built>, Error> {
    let folder = &project_folder(&request.crate_dir, progress)?;
    let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
    let out_dir = &request.out_dir;
    if folder.join("Cargo.toml").exists() {
        return crates(&folder, request, progress);
    }
    let (project, language) = module_toml::read(&folder)?;
    let componentizer = match language {
        Language::Python => &componentizer::PYTHON,
        Language::JavaScript => &componentizer::JAVASCRIPT,
        Language::Rust => return Err(Error::NoCargoToml { path: folder }),
    };
    durable::create_folder(out_dir, 0o755).map_err(Error::file("make", out_dir))?;
    let work = Work(out_dir.join(format!(".work-{}", std::process::id())));
    let component = componentizer.run(&project, &work.0, progress)?;
    Ok(vec![finish(&project, &component, out_dir, progress)?])
}

/// Builds crates with cargo.
fn crates(folder: &Path, request: &BuildRequest, progress: &dyn Progress) -> Result<Vec<Built>, Error> {
    let toolchain = match &request.toolchain {
        Some(path) => Toolchain::at(path)?,
        None => Toolchain::find(progress)?,
    };
    progress.step(&Step::Toolchain { version: toolchain.version().to_owned(), path: toolchain.sysroot().to_owned() });
    let packages = cargo::packages(&toolchain, folder)?;
    // A mistake in it would reach the author through a macro's mouth, with the compiler's guesses around it.
    packages.iter().try_for_each(|package| WitPackage::read(&package.folder().join("wit")).map(drop))?;
    progress.step(&Step::Compile { modules: packages.iter().map(|package| package.name.clone()).collect() });
    let compiled = cargo::compile(&toolchain, folder, &packages, progress)?;
    durable::create_folder(&request.out_dir, 0o755).map_err(Error::file("make", &request.out_dir))?;
    let mut built = Vec::new();
    for package in &packages {
        let Some(component) = compiled.get(&package.manifest_path) else {
            return Err(Error::Compile {
                path: package.folder().to_owned(),
                output: "cargo made no .wasm file".to_owned(),
            });
        };
        let component = fs::read(component).map_err(Error::file("read", component))?;
        built.push(finish(&package.project()?, &component, &request.out_dir, progress)?);
    }
    Ok(built)
}

/// Checks a component against its WIT, packs it and puts it in place.
fn finish(project: &Project, component: &[u8], out_dir: &Path, progress: &dyn Progress) -> Result<Built, Error> {
    let Project { name, version, folder, .. } = project;
    let wit = WitPackage::read(&folder.join("wit"))?;
    wit.check(name, component)?;
    let packed = pack(component, project, &wit.encode()?)?;
    let path = out_dir.join(format!("{name}.wasm"));
    durable::write_atomic(&path, &packed, 0o644).map_err(Error::file("write", &path))?;
    let size = packed.len() as u64;
    progress.step(&Step::Finished { path: path.clone(), size });
    Ok(Built { name: name.clone(), version: version.clone(), path, digest: Digest::of(&packed), size })
}

/// A folder for what is made on the way, gone when the build ends.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
