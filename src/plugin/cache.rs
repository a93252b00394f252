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
    time::{Duration, Instant, SystemTime},
};

use wasmtime::component::Component;

use super::{
    check,
    engine::Engine,
    error::Error,
    load::{self, Plugin},
    metadata::Metadata,
};
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
        let component = self.component(engine, bytes)?;
        Plugin::new(engine, &component, Digest::of(bytes), &Metadata::read(bytes))
    }

    /// The code of a component, compiled if there is none that loads.
    pub(super) fn component(&self, engine: &Engine, bytes: &[u8]) -> Result<Component, Error> {
        check::is_component(bytes)?;
        let digest = Digest::of(bytes);
        let path = self.path(engine, &digest);
        match load::code(engine, &path) {
            Ok(component) => {
                touch(&path);
                Ok(component)
            }
            Err(Error::LoadCompiled { source, .. }) => {
                if path.exists() {
                    tracing::warn!(file = %path.display(), %source, "compiled module does not load; compiling it again");
                }
                check::component(bytes)?;
                let code = compiled(engine, bytes, &digest)?;
                durable::write_atomic(&path, &code, 0o600)
                    .map_err(|source| Error::Cache { path: path.clone(), source })?;
                load::code(engine, &path)
            }
            Err(other) => Err(other),
        }
    }

    /// Removes what was not loaded for longest until all that is left has `most` bytes together.
    pub fn shrink(&self, most: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if CompiledName::of(&entry.path()).is_ok() {
                let meta = entry.metadata()?;
                files.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if bytes <= most {
                break;
            }
            fs::remove_file(path)?;
            bytes -= size;
        }
        Ok(())
    }

    /// Removes the code of every component that is not in `keep` (nobody serves it, and no job that has
    /// not started names it) and that nobody has loaded for `idle`.
    pub fn collect(&self, keep: &BTreeSet<Digest>, idle: Duration) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let unwanted = CompiledName::of(&entry.path()).is_ok_and(|name| !keep.contains(&name.digest));
            if unwanted && untouched_for(&entry, idle) {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes what a killed process left half-written. What is young may be another process's work.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if CompiledName::of(&entry.path()).is_err() && untouched_for(&entry, ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Compiles, and says so where it takes as long as somebody may wait for.
fn compiled(engine: &Engine, bytes: &[u8], digest: &Digest) -> Result<Vec<u8>, Error> {
    let large = bytes.len() > LARGE;
    if large {
        tracing::info!(digest = digest.short(), bytes = bytes.len(), "compiling a large module");
    }
    let started = Instant::now();
    let code = engine.precompile(bytes)?;
    if large {
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(digest = digest.short(), seconds, bytes = code.len(), "compiled a large module");
    }
    Ok(code)
}

/// A component with an interpreter in it is larger than this, and hardly any other.
const LARGE: usize = 4 << 20;

/// Whether this is a file that was neither written nor loaded by a daemon for this long.
fn untouched_for(entry: &fs::DirEntry, time: Duration) -> bool {
    let Ok(meta) = entry.metadata() else { return false };
    meta.is_file() && meta.modified().is_ok_and(|touched| touched.elapsed().is_ok_and(|age| age >= time))
}

/// Notes that the code is in use. Its contents stay as they are, so it may be mapped meanwhile.
fn touch(path: &Path) {
    let touched = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        tracing::debug!(file = %path.display(), %error, "cannot note that a compiled module is in use");
    }
}

/// No compilation takes this long.
const ABANDONED: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_abandoned_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let compiled = format!("{}-0123.cwasm", Digest::of(b""));
        let long_ago = SystemTime::now() - 2 * ABANDONED;
        for (name, old) in [(compiled.as_str(), true), (".young.tmp", false), (".old.tmp", true)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            if old {
                file.set_modified(long_ago).unwrap();
            }
        }
        Cache::open(folder.path()).unwrap();
        assert!(folder.path().join(&compiled).exists() && folder.path().join(".young.tmp").exists());
        assert!(!folder.path().join(".old.tmp").exists());
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn code_that_nobody_names_goes_once_it_is_idle() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let named = |text: &[u8]| folder.path().join(format!("{}-0123.cwasm", Digest::of(text)));
        for text in [b"kept", b"used", b"idle"] {
            let file = fs::File::create(named(text)).unwrap();
            if text != b"used" {
                file.set_modified(SystemTime::now() - 2 * ABANDONED).unwrap();
            }
        }
        assert_eq!(cache.collect(&[Digest::of(b"kept")].into(), ABANDONED).unwrap(), 1);
        assert!(named(b"kept").exists() && named(b"used").exists());
    }

    #[test]
    fn what_was_not_loaded_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let named = |text: &[u8]| folder.path().join(format!("{}-0123.cwasm", Digest::of(text)));
        for (age, text) in [b"c", b"a", b"b"].into_iter().enumerate() {
            fs::write(named(text), [0; 100]).unwrap();
            let file = fs::File::options().write(true).open(named(text)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_mins(1 + age as u64)).unwrap();
        }
        fs::write(folder.path().join("other"), [0; 1000]).unwrap();
        cache.shrink(300).unwrap();
        assert!([b"a", b"b", b"c"].iter().all(|text| named(*text).exists()));
        cache.shrink(299).unwrap();
        assert!(named(b"c").exists() && named(b"a").exists() && !named(b"b").exists());
        assert!(folder.path().join("other").exists());
    }

    #[test]
    fn a_compiled_file_says_which_component_it_is() {
        let name = format!("{}-0123.cwasm", Digest::of(b"x"));
        assert_eq!(CompiledName::of(Path::new(&name)).unwrap().digest, Digest::of(b"x"));
        for name in ["", "x.cwasm", "12-34.cwasm", &name.replace(".cwasm", ""), &name.to_uppercase()] {
            assert!(matches!(CompiledName::of(Path::new(name)), Err(Error::CompiledName { .. })), "{name}");
        }
    }
}
