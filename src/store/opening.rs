//! What an opening found, told as data: nothing below the command line prints.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::Error;

/// What happened while a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The store that could not be trusted, if there was one. Its rows are missing from the fresh store.
    pub set_aside: Option<SetAside>,
    /// Files of big values that no row named: left by a commit that never happened, now removed.
    pub collected: usize,
}

/// A damaged store, kept under another name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the store was damaged ({why}) and has been set aside as `{}`; a new, empty one is in use: jobs from before are \
     unknown here, though the minions still know their parts",
    path.display()
)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// Renames a damaged `data` folder to a dated name beside it.
pub(super) fn set_aside(dir: &Path, data: &Path, why: String) -> Result<SetAside, Error> {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    for count in 0.. {
        let suffix = if count == 0 { String::new() } else { format!(".{count}") };
        let path = dir.join(format!("broken-{now}{suffix}"));
        if fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        return match fs::rename(data, &path) {
            Ok(()) => Ok(SetAside { path, why }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => Err(Error::io("set aside", data)(error)),
        };
    }
    unreachable!("the count has no end")
}
