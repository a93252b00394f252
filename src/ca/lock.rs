//! One process at a time changes a file of the authority.

use std::{fs::File, path::Path, time::Duration};

use super::Error;
use crate::sys::lock::{self, Attempt};

/// How long another process may hold a file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps other processes from changing the file at `path` for as long as what this returns exists.
pub(super) fn hold(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let file = lock::open_lock_file(&path.with_extension("lock")).map_err(failed)?;
    match lock::exclusive_within(&file, PATIENCE).map_err(failed)? {
        Attempt::Busy => Err(Error::Locked { path: path.to_owned() }),
        Attempt::Locked => Ok(file),
    }
}
