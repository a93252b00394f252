//! Compiled code on disk.
//!
//! Compiling 2 MB of WebAssembly takes seconds, loading the result 60 µs; and the workers, which never
//! compile, can only run what lies here. A file is named `SHA256-COMPATIBILITY.cwasm`: after the
//! component it was made from and everything else that the code depends on (wasmtime's version, its
//! settings, the processor), so that a wrong one is never even opened. The folder belongs to this
//! user alone, because whoever writes here runs code in the daemon. Files appear by rename and are
//! never changed: they are mapped into running processes.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{check, engine::Engine, error::Error, load::Plugin, metadata::Metadata};
use crate::{ids::Digest, sys::durable};

/// What a compiled file's name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CompiledName {
    pub(super) digest: Digest,
    compatibility: String,
}

impl CompiledName {
    /// Reads the name of a compiled file.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let parse = || {
            let (digest, compatibility) = path.file_name()?.to_str()?.strip_suffix(".cwasm")?.split_once('-')?;
            Some(Self { digest: digest.parse().ok()?, compatibility: compatibility.to_owned() })
        };
        parse().ok_or_else(|| Error::CompiledName { path: path.to_owned() })
    }

    fn file_name(&self) -> String {
        format!("{}-{}.cwasm", self.digest, self.compatibility)
    }
}

/// The folder of compiled code.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Uses `folder`, which is made if it is missing, and takes it away from everybody else.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        let failed = |source| Error::Cache { path: folder.clone(), source };
        durable::create_folder(&folder, 0o700).map_err(failed)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let cache = Self { folder };
        cache.sweep();
        Ok(cache)
    }

    /// Where the code of a component is or will be.
    pub fn path(&self, engine: &Engine, digest: &Digest) -> PathBuf {
        let name = CompiledName { digest: *digest, compatibility: engine.compatibility() };
        self.folder.join(name.file_name())
    }

    /// Loads a component, compiling it if there is no code for it that loads. Takes seconds when it
    /// must compile.
    pub fn load(&self, engine: &Engine, bytes: &[u8]) -> Result<Plugin, Error> {
        check::is_component(bytes)?;
        let digest = Digest::of(bytes);
        let metadata = Metadata::read(bytes);
        let path = self.path(engine, &digest);
        match Plugin::load(engine, &path, digest, &metadata) {
            Err(Error::LoadCompiled { source, .. }) => {
                if path.exists() {
                    tracing::warn!(file = %path.display(), %source, "compiled module does not load; compiling it again");
                }
                check::component(bytes)?;
                let code = engine.precompile(bytes)?;
                durable::write_atomic(&path, &code, 0o600)
                    .map_err(|source| Error::Cache { path: path.clone(), source })?;
                Plugin::load(engine, &path, digest, &metadata)
            }
            other => other,
        }
    }

    /// Removes the code of every component that is not in `keep`: nobody serves it, and no job that
    /// has not started names it.
    pub fn collect(&self, keep: &BTreeSet<Digest>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if CompiledName::of(&path).is_ok_and(|name| !keep.contains(&name.digest)) {
                fs::remove_file(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes what a killed process left half-written.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if CompiledName::of(&entry.path()).is_err() && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
