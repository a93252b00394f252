//! What a daemon finds in the folder of jobs when it starts.

use std::{fs, io, path::Path, time::Duration};

use super::{
    birth,
    cgroups::Cgroups,
    error::JournalError,
    intent::{self, Intent},
    journal,
    record::Call,
    settle::{Settled, settle},
    state::InHand,
};
use crate::{ids::MinionJobId, sys::clock::BootId};

/// A job's file as it was found at the start.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: MinionJobId,
    pub(super) call: Option<Box<Call>>,
    /// What its owner wants of it.
    pub(super) intent: Intent,
    /// Nothing when the file could not be read this time, which says nothing of the job.
    pub(super) settled: Option<Settled>,
}

/// Settles everything in the folder and removes what births left behind that never came about.
///
/// A job that cannot be read or settled now is reported and left as it is, to be looked at again.
pub(super) fn recover(folder: &Path, boot: BootId, cgroups: Option<&Cgroups>) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if birth::id_in_temporary_name(name).is_some() {
            // Linked or not: under this name nobody needs it, and nobody was told of it.
            fs::remove_file(entry.path())?;
            continue;
        }
        if let Some(id) = intent::id_in_name(name) {
            // With a journal it is its job's; alone it is left over from one that ended.
            let journal = folder.join(id.as_str());
            if !journal.exists() {
                Intent::settled(&journal);
            }
            continue;
        }
        let Ok(id) = name.parse::<MinionJobId>() else {
            tracing::warn!(file = %entry.path().display(), "not a job; left alone");
            continue;
        };
        let (job, error) = find(&entry.path(), id, boot, cgroups);
        if let Some(error) = error {
            tracing::error!(job = %job.id, error = &error as &dyn std::error::Error, "cannot look at a job; trying again");
        }
        found.push(job);
    }
    Ok(found)
}

/// Settles one job of which nothing is known yet; with the error that kept it from being read, if any.
pub(super) fn find(
    path: &Path,
    id: MinionJobId,
    boot: BootId,
    cgroups: Option<&Cgroups>,
) -> (Found, Option<JournalError>) {
    let settled = settle(path, boot, Duration::ZERO, None, Intent::Run, InHand::Nothing);
    if let Some(cgroups) = cgroups {
        cgroups.after(&id, &settled);
    }
    let recovered = settled.and_then(|settled| Ok((journal::read(path)?.call, settled)));
    let intent = Intent::of(path);
    match recovered {
        // Nobody waits for it, and there may be many.
        Ok((call, Settled::Ended(remembered, _))) => {
            (Found { id, call, intent, settled: Some(Settled::Ended(remembered, None)) }, None)
        }
        Ok((call, settled)) => (Found { id, call, intent, settled: Some(settled) }, None),
        Err(error) => {
            // One that can be read is as good as held: it will be settled like one.
            let call = journal::read(path).ok().and_then(|history| history.call);
            let settled = call.is_some().then_some(Settled::Held);
            (Found { id, call, intent, settled }, Some(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_that_never_came_about_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let id = MinionJobId::fresh();
        fs::write(folder.path().join(format!(".{id}.0123.new")), b"half a ca").unwrap();
        fs::write(folder.path().join("notes.txt"), b"somebody's").unwrap();
        assert!(recover(folder.path(), BootId::current(), None).unwrap().is_empty());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
    }

    #[test]
    fn what_cannot_be_read_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MinionJobId::fresh().as_str());
        fs::write(&path, b"not a journal").unwrap();
        let found = recover(folder.path(), BootId::current(), None).unwrap();
        assert!(matches!(found[..], [Found { call: None, settled: Some(Settled::Unreadable), .. }]));
        assert_eq!(fs::read(&path).unwrap(), b"not a journal");
    }

    #[test]
    fn what_could_not_be_read_this_time_is_neither_damaged_nor_gone() {
        let folder = tempfile::tempdir().unwrap();
        // A link to itself: opening it fails with ELOOP, whoever asks.
        let path = folder.path().join(MinionJobId::fresh().as_str());
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let found = recover(folder.path(), BootId::current(), None).unwrap();
        assert!(matches!(found[..], [Found { call: None, settled: None, .. }]), "{found:?}");
    }
}
