//! How a job's file comes into being.
//!
//! The call is written to a temporary name, locked, made durable, then moved to the job's id,
//! which fails if the id is taken; then the folder is made durable. Only after that may anybody be told
//! that the job exists. The temporary name begins with the job's, because where a file can only be given a second
//! name and then lose the first, the system goes on calling the open file by that (see `watch.rs`).

use std::{fs, io, path::Path};

use super::{error::JournalError, journal::Journal, record::Call};
use crate::{
    ids::MinionJobId,
    sys::{
        durable,
        lock::{self, Attempt},
    },
};

/// What came of the attempt to create a job's file.
#[derive(Debug)]
pub(super) enum Birth {
    /// The job exists, durably, and this is its writer.
    New(Journal),
    /// The id was taken; nothing was changed.
    Taken,
}

/// Creates the file of a job. `written` is given the same journal before it is durable.
pub(super) fn create(folder: &Path, call: Call, written: impl FnOnce(Journal)) -> Result<Birth, JournalError> {
    let temporary = folder.join(temporary_name(&call.id));
    let path = folder.join(call.id.as_str());
    let at = |source| JournalError::io(&path, source);
    let journal = match create_at(&temporary, &path, call, written) {
        Ok(journal) => journal,
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            return match error {
                JournalError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Ok(Birth::Taken),
                other => Err(other),
            };
        }
    };
    if let Err(source) = durable::sync_folder(folder) {
        // The caller is told that there is no job, so there must be none after a restart either.
        let _ = fs::remove_file(&path);
        return Err(at(source));
    }
    Ok(Birth::New(journal))
}

fn create_at(
    temporary: &Path,
    path: &Path,
    call: Call,
    written: impl FnOnce(Journal),
) -> Result<Journal, JournalError> {
    let at = |source| JournalError::io(path, source);
    let file = durable::create_new(temporary, 0o600).map_err(at)?;
    if lock::try_exclusive(&file).map_err(at)? == Attempt::Busy {
        return Err(at(io::ErrorKind::ResourceBusy.into()));
    }
    let journal = Journal::begin(file, call)?;
    if let Ok(copy) = journal.copy() {
        written(copy);
    }
    journal.sync_all().map_err(at)?;
    durable::move_new(temporary, path).map_err(at)?;
    Ok(journal)
}

/// The name of a file that is being born: `.ID.UNIQUE.new`.
fn temporary_name(id: &MinionJobId) -> String {
    format!(".{id}.{}.new", uuid::Uuid::now_v7().simple())
}

/// The job that a temporary name belongs to.
pub(super) fn id_in_temporary_name(name: &str) -> Option<MinionJobId> {
    let (id, _) = name.strip_prefix('.')?.strip_suffix(".new")?.split_once('.')?;
    id.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use super::{
        super::{
            journal::{probe, read},
            samples,
            state::Lock,
        },
        *,
    };

    const NO_PATIENCE: Duration = Duration::ZERO;

    #[test]
    fn a_newborn_job_is_locked_private_and_alone_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let journal = samples::born(folder.path(), call.clone());
        let path = folder.path().join(call.id.as_str());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let (lock, history) = probe(&path, NO_PATIENCE).unwrap();
        assert_eq!((lock, history.call.as_deref()), (Lock::Held, Some(&call)));
        drop(journal);
        assert_eq!(probe(&path, NO_PATIENCE).unwrap().0, Lock::Free);
    }

    #[test]
    fn an_id_is_born_once() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let _journal = samples::born(folder.path(), call.clone());
        let other = Call { owner: "stranger".to_owned(), ..call.clone() };
        assert!(matches!(create(folder.path(), other, drop).unwrap(), Birth::Taken));
        assert_eq!(read(&folder.path().join(call.id.as_str())).unwrap().call.as_deref(), Some(&call));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_of_births_tell_their_job() {
        let id = MinionJobId::fresh();
        assert_eq!(id_in_temporary_name(&temporary_name(&id)), Some(id.clone()));
        for name in [id.as_str(), ".x.new", "", ".new", &format!(".{id}.new")] {
            assert_eq!(id_in_temporary_name(name), None, "{name}");
        }
    }
}
