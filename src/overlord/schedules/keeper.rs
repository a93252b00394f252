//! Who sees to the schedules: one file beside the store, locked by the process that does, whose time says when one was changed.
//!
//! The lock spares a second daemon the work and tells everybody whether anybody is there. What keeps an instant from running
//! twice is the store.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::SystemTime,
};

use crate::sys::lock::{Attempt, open_lock_file, try_exclusive, try_shared};

/// The process that sees to the schedules, for as long as this lives.
#[derive(Debug)]
pub struct Keeper {
    _file: File,
}

/// When a schedule was changed last. It differs after each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(Option<SystemTime>);

impl Keeper {
    /// Becomes it, if nobody is.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = open_lock_file(path)?;
        Ok((try_exclusive(&file)? == Attempt::Locked).then_some(Self { _file: file }))
    }

    /// Whether somebody is.
    pub(super) fn is_there(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| matches!(try_shared(&file), Ok(Attempt::Busy)))
    }
}

impl Seen {
    pub(super) fn now(path: &Path) -> Self {
        Self(fs::metadata(path).and_then(|meta| meta.modified()).ok())
    }
}

/// Tells whoever sees to the schedules that one was changed.
pub(super) fn announce_change(path: &Path) -> io::Result<()> {
    open_lock_file(path)?.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_it_and_hears_of_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schedules.lock");
        assert!(!Keeper::is_there(&path));
        let keeper = Keeper::take(&path).unwrap().unwrap();
        assert!(Keeper::is_there(&path) && Keeper::take(&path).unwrap().is_none());
        let seen = Seen::now(&path);
        announce_change(&path).unwrap();
        assert_ne!(Seen::now(&path), seen);
        drop(keeper);
        assert!(!Keeper::is_there(&path) && Keeper::take(&path).unwrap().is_some());
    }
}
