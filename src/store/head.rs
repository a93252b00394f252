//! What the store says of itself, inside sled and beside it.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;
use crate::sys::durable;

/// The row that says which store this is, and how much it holds. Table names never begin with a zero byte.
pub(super) const HEAD: &[u8] = b"\0head";

/// The first words of the file `format`; the number is raised when the folder's layout changes.
const FORMAT: &str = "func store ";
const FORMAT_VERSION: &str = "1";

/// What the store knows of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    /// The same as in the file `format`.
    pub(super) id: String,
    /// How many commits there were.
    pub(super) commits: u64,
    /// How many rows there are, this one not counted.
    pub(super) rows: u64,
}

impl Head {
    /// The head of a new store.
    pub(super) fn fresh() -> Self {
        Self { id: Uuid::now_v7().to_string(), commits: 0, rows: 0 }
    }

    /// As it stands in its row.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Error> {
        postcard::to_stdvec(self).map_err(|error| Error::Row {
            table: "head",
            doing: "written",
            why: error.to_string(),
        })
    }
}

/// The identity in the file `format`, if there is such a file.
pub(super) fn read_format(data: &Path, path: &Path) -> Result<Option<String>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Vec::new(),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let words = text.trim_end().strip_prefix(FORMAT).and_then(|rest| rest.split_once(' '));
    match words {
        Some((FORMAT_VERSION, id)) => Ok(Some(id.to_owned())),
        Some((found, _)) if found.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Error::Newer { path: data.to_owned(), found: found.to_owned() })
        }
        _ => Err(Error::Broken { path: data.to_owned(), why: "its file `format` is not ours".into() }),
    }
}

/// Writes the file `format`, durably.
pub(super) fn write_format(path: &Path, id: &str) -> Result<(), Error> {
    let line = format!("{FORMAT}{FORMAT_VERSION} {id}\n");
    durable::write_atomic(path, line.as_bytes(), 0o600).map_err(Error::io("write", path))
}
