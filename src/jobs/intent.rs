//! That a job is to be cancelled, written beside its journal.
//!
//! The journal has one writer, and that is the worker. So the wish lies in a file of its own, `ID.cancel`, durable
//! before the worker hears of it: a daemon that is started later finds it and goes on. It goes away once the
//! journal has an end.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::error::JournalError;
use crate::{ids::MinionJobId, sys::durable};

/// What a job's owner wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Its result.
    Run,
    /// Its end.
    Cancel,
}

impl Intent {
    /// What was wanted of the job with this journal, as far as is written.
    pub(super) fn of(journal: &Path) -> Self {
        if beside(journal).exists() { Self::Cancel } else { Self::Run }
    }

    /// Records, durably, that the job with this journal is to be cancelled.
    pub(super) fn cancel(journal: &Path) -> Result<(), JournalError> {
        let path = beside(journal);
        durable::write_atomic(&path, b"", 0o600).map_err(|source| JournalError::io(&path, source))
    }

    /// Forgets the wish: the journal says what became of the job.
    pub(super) fn settled(journal: &Path) {
        // What stays, or comes back with a power cut, is found and forgotten at the next start.
        let _ = fs::remove_file(beside(journal));
    }
}

/// The job whose cancelling a file asks for.
pub(super) fn id_in_name(name: &str) -> Option<MinionJobId> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

const SUFFIX: &str = ".cancel";

fn beside(journal: &Path) -> PathBuf {
    let mut path = OsString::from(journal);
    path.push(SUFFIX);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_lies_beside_its_journal_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let id = MinionJobId::fresh();
        let journal = folder.path().join(id.as_str());
        assert_eq!(Intent::of(&journal), Intent::Run);
        Intent::cancel(&journal).unwrap();
        Intent::cancel(&journal).unwrap();
        assert_eq!(Intent::of(&journal), Intent::Cancel);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 1);
        assert_eq!(id_in_name(names[0].to_str().unwrap()), Some(id));
        Intent::settled(&journal);
        assert_eq!((Intent::of(&journal), id_in_name("x.cancel")), (Intent::Run, None));
    }
}
