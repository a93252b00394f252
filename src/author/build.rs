//! From a crate, or a workspace of crates, to components.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    cargo::{self, Package},
    error::Error,
    pack::pack,
    progress::{Progress, Step},
    toolchain::Toolchain,
    wit_package::WitPackage,
};
use crate::{ids::Digest, sys::durable};

/// What to build and where to put it.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The folder of the crate, or of a workspace: then all its crates that make modules are built.
    pub crate_dir: PathBuf,
    /// The folder for the components, each named after its crate. It is made if it is missing.
    pub out_dir: PathBuf,
    /// The folder of the Rust toolchain to use (its `bin/rustc`); found or made when not given.
    pub toolchain: Option<PathBuf>,
}

/// A finished component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The crate's name.
    pub name: String,
    /// The crate's version.
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
    let folder = &request.crate_dir;
    let folder = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
    let toolchain = match &request.toolchain {
        Some(path) => Toolchain::at(path)?,
        None => Toolchain::find(progress)?,
    };
    progress.step(&Step::Toolchain { version: toolchain.version().to_owned(), path: toolchain.sysroot().to_owned() });
    let packages = cargo::packages(&toolchain, &folder)?;
    progress.step(&Step::Compile { modules: packages.iter().map(|package| package.name.clone()).collect() });
    let compiled = cargo::compile(&toolchain, &folder, &packages, progress)?;
    durable::create_folder(&request.out_dir, 0o755).map_err(Error::file("make", &request.out_dir))?;
    let mut built = Vec::new();
    for package in &packages {
        let Some(component) = compiled.get(&package.manifest_path) else {
            return Err(Error::Compile {
                path: package.folder().to_owned(),
                output: "cargo made no .wasm file".to_owned(),
            });
        };
        built.push(finish(package, component, &request.out_dir, progress)?);
    }
    Ok(built)
}

/// Checks a component against its WIT, packs it and puts it in place.
fn finish(package: &Package, component: &Path, out_dir: &Path, progress: &dyn Progress) -> Result<Built, Error> {
    let bytes = fs::read(component).map_err(Error::file("read", component))?;
    let wit = WitPackage::read(&package.folder().join("wit"))?;
    wit.check(&package.name, &bytes)?;
    let packed = pack(&bytes, package, &package.manifest()?, &wit.encode()?)?;
    let path = out_dir.join(format!("{}.wasm", package.name));
    durable::write_atomic(&path, &packed, 0o644).map_err(Error::file("write", &path))?;
    let size = packed.len() as u64;
    progress.step(&Step::Finished { path: path.clone(), size });
    Ok(Built { name: package.name.clone(), version: package.version.clone(), path, digest: Digest::of(&packed), size })
}
