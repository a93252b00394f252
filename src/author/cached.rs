//! Building only what changed, by one process at a time.
//!
//! The folder of the components holds `.lock`, which whoever builds keeps locked, and `.built.json`: the fingerprint of
//! all inputs and what came of them. Same inputs and whole outputs mean that there is nothing to do, not even to look
//! for a toolchain. Inputs are looked at before a build, so that a change in mid-build is noticed by the next one; but
//! Cargo.lock is looked at afterwards, since cargo brings it up to date while it builds.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    build::{BuildRequest, Built, build},
    error::Error,
    progress::{Progress, Step},
};
use crate::{
    ids::Digest,
    sys::{
        durable,
        lock::{self, Attempt},
    },
};

/// Where cargo writes down the versions of dependencies.
const LOCK_FILE: &str = "Cargo.lock";

/// Folders that are made and not written.
const MADE: [&str; 3] = ["target", "__pycache__", "node_modules"];

/// Longer than it takes to make a toolchain and compile everything on a slow machine.
const PATIENCE: Duration = Duration::from_mins(30);

#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: Digest,
    built: Vec<Built>,
}

/// Builds as [`build`] does, unless nothing under the crate's folder and `inputs` (files and folders) has changed since the
/// last time. Processes that want the same wait for each other.
pub fn build_if_changed(
    request: &BuildRequest,
    inputs: &[PathBuf],
    progress: &dyn Progress,
) -> Result<Vec<Built>, Error> {
    let folder = &request.out_dir;
    durable::create_folder(folder, 0o755).map_err(Error::file("make", folder))?;
    let _lock = lock_folder(folder, progress)?;
    let mut inputs = inputs.to_vec();
    inputs.push(request.crate_dir.clone());
    let sources = sources(&inputs, folder)?;
    if let Some(built) = unchanged(folder, &fingerprint(&sources, &request.crate_dir)?) {
        progress.step(&Step::Unchanged { path: folder.clone() });
        return Ok(built);
    }
    let built = build(request, progress)?;
    let fingerprint = fingerprint(&sources, &request.crate_dir)?;
    let path = folder.join(".built.json");
    let record = serde_json::to_vec(&Record { fingerprint, built: built.clone() });
    let record = record.map_err(|error| Error::File { action: "write", path: path.clone(), source: error.into() })?;
    durable::write_atomic(&path, &record, 0o644).map_err(Error::file("write", &path))?;
    Ok(built)
}

fn lock_folder(folder: &Path, progress: &dyn Progress) -> Result<fs::File, Error> {
    let path = folder.join(".lock");
    let file = lock::open_lock_file(&path).map_err(Error::file("open", &path))?;
    if lock::try_exclusive(&file).map_err(Error::file("lock", &path))? == Attempt::Busy {
        progress.step(&Step::Waiting { path: folder.to_owned() });
        if lock::exclusive_within(&file, PATIENCE).map_err(Error::file("lock", &path))? == Attempt::Busy {
            return Err(Error::Busy { path: folder.to_owned() });
        }
    }
    Ok(file)
}

/// What was built of these inputs, if it is all still there.
fn unchanged(folder: &Path, fingerprint: &Digest) -> Option<Vec<Built>> {
    let record: Record = serde_json::from_slice(&fs::read(folder.join(".built.json")).ok()?).ok()?;
    let whole = |built: &Built| fs::read(&built.path).is_ok_and(|bytes| Digest::of(&bytes) == built.digest);
    (record.fingerprint == *fingerprint && record.built.iter().all(whole)).then_some(record.built)
}

/// Names and digests of all files, one a line, but for what is in `made`.
fn sources(paths: &[PathBuf], made: &Path) -> Result<String, Error> {
    let made = fs::canonicalize(made).map_err(Error::file("find", made))?;
    let mut files = Vec::new();
    for path in paths {
        let path = fs::canonicalize(path).map_err(Error::file("find", path))?;
        collect(path, &made, &mut files)?;
    }
    files.sort();
    files.dedup();
    let mut lines = String::new();
    for file in files {
        let contents = fs::read(&file).map_err(Error::file("read", &file))?;
        let _ = writeln!(lines, "{} {}", Digest::of(&contents), file.display());
    }
    Ok(lines)
}

fn collect(path: PathBuf, made: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    if !path.is_dir() {
        files.push(path);
        return Ok(());
    }
    for entry in fs::read_dir(&path).map_err(Error::file("read", &path))? {
        let entry = entry.map_err(Error::file("read", &path))?;
        let name = entry.file_name();
        // What cargo, Python and npm make, and what editors leave behind.
        let hidden = name.as_encoded_bytes().starts_with(b".") && name != ".cargo";
        if hidden || MADE.iter().any(|made| name == *made) || name == LOCK_FILE || entry.path() == made {
            continue;
        }
        collect(entry.path(), made, files)?;
    }
    Ok(())
}

/// One digest over the sources, the versions of what they depend on, and what this program would make of them.
fn fingerprint(sources: &str, crate_dir: &Path) -> Result<Digest, Error> {
    let path = crate_dir.join(LOCK_FILE);
    let versions = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(Error::file("read", &path))?,
    };
    let maker = Digest::of(include_bytes!("pack.rs"));
    let text = format!("func {} {maker}\n{LOCK_FILE} {}\n{sources}", env!("CARGO_PKG_VERSION"), Digest::of(&versions));
    Ok(Digest::of(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inputs_change_the_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("out")).unwrap();
        let now = || fingerprint(&sources(&[folder.path().to_owned()], &at("out")).unwrap(), folder.path()).unwrap();
        fs::write(at("a.rs"), "a").unwrap();
        let first = now();
        fs::create_dir(at("target")).unwrap();
        fs::write(at("target/x"), "made").unwrap();
        fs::write(at("out/a.wasm"), "made").unwrap();
        fs::write(at(".a.rs.swp"), "left behind").unwrap();
        assert_eq!(now(), first);
        fs::write(at("a.rs"), "b").unwrap();
        assert_ne!(now(), first);
        fs::write(at("a.rs"), "a").unwrap();
        fs::create_dir(at(".cargo")).unwrap();
        assert_eq!(now(), first);
        fs::write(at(".cargo/config.toml"), "").unwrap();
        let second = now();
        assert_ne!(second, first);
        fs::write(at("Cargo.lock"), "versions").unwrap();
        assert_ne!(now(), second);
    }

    #[test]
    fn a_component_that_is_gone_or_changed_is_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        fs::write(&path, "wasm").unwrap();
        let fingerprint = Digest::of(b"inputs");
        let (digest, name, version) = (Digest::of(b"wasm"), "a".to_owned(), "1.0.0".to_owned());
        let record = Record { fingerprint, built: vec![Built { name, version, path: path.clone(), digest, size: 4 }] };
        fs::write(folder.path().join(".built.json"), serde_json::to_vec(&record).unwrap()).unwrap();
        assert!(unchanged(folder.path(), &fingerprint).is_some());
        assert!(unchanged(folder.path(), &Digest::of(b"other inputs")).is_none());
        fs::write(&path, "half").unwrap();
        assert!(unchanged(folder.path(), &fingerprint).is_none());
    }
}
