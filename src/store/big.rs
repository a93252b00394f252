//! Big values, one file each.
//!
//! A file is written and synced before the row that names it, and removed after the row is gone, so a crash leaves at most
//! a file without a row. An index row stands beside each, so that the collection at opening looks only at the files that
//! are there and never at all rows.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;
use crate::sys::durable;

/// Values longer than this live in files.
pub(super) const LIMIT: usize = 16 * 1024;

const SUFFIX: &str = ".value";

/// What a row says of its value's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pointer {
    /// The file's name in the folder.
    pub(super) name: String,
    length: u64,
    check: u32,
}

/// The folder of big values.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder, made if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        durable::create_folder(path, 0o700).map_err(Error::io("create", path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes a value to a file of its own. It is durable once [`Folder::sync`] has returned too.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<Pointer, Error> {
        let name = format!("{}{SUFFIX}", Uuid::now_v7().simple());
        let path = self.path.join(&name);
        let mut file = durable::create_new(&path, 0o600).map_err(Error::io("create", &path))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            self.remove(&name);
            return Err(Error::io("write", &path)(error));
        }
        Ok(Pointer { name, length: bytes.len() as u64, check: crc32fast::hash(bytes) })
    }

    /// Makes the names of new files durable.
    pub(super) fn sync(&self) -> Result<(), Error> {
        durable::sync_folder(&self.path).map_err(Error::io("sync", &self.path))
    }

    /// Reads a value back, whole and unchanged or not at all.
    pub(super) fn read(&self, pointer: &Pointer) -> Result<Vec<u8>, Error> {
        let path = self.path.join(&pointer.name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Broken { path, why: "the file of a big value is gone".into() });
            }
            other => other.map_err(Error::io("read", &path))?,
        };
        if bytes.len() as u64 != pointer.length || crc32fast::hash(&bytes) != pointer.check {
            return Err(Error::Broken { path, why: "the file does not hold what was written to it".into() });
        }
        Ok(bytes)
    }

    /// Removes a file; one that stays is collected at the next opening.
    pub(super) fn remove(&self, name: &str) {
        drop(fs::remove_file(self.path.join(name)));
    }

    /// Removes every file of ours that is not `named`, and says how many those were. Foreign files stay.
    pub(super) fn collect(&self, mut named: impl FnMut(&str) -> Result<bool, Error>) -> Result<usize, Error> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.path).map_err(Error::io("read", &self.path))? {
            let entry = entry.map_err(Error::io("read", &self.path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let ours = name.strip_suffix(SUFFIX).is_some_and(|stem| Uuid::try_parse(stem).is_ok());
            if ours && !named(name)? {
                self.remove(name);
                removed += 1;
            }
        }
        Ok(removed)
    }
}
