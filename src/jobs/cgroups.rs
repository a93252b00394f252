//! A control group for each job, where the daemon was given one to divide.
//!
//! The worker is born in it, and so is whatever it starts. When the job has been cancelled, the group is ended, and with it
//! also what left the worker's family before the worker was gone. What a job leaves running that ended otherwise is meant to
//! stay (a service that it started): its group goes when it is empty.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{error::JournalError, settle::Settled};
use crate::{
    ids::MinionJobId,
    sys::cgroup::{Bounds, Delegated, Leaf, names_below},
};

/// What the name of a job's group begins with; its id follows.
const PREFIX: &str = "job-";
const JUST_NOW: Duration = Duration::from_secs(1);
/// How long what was ended may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Where the groups of jobs are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroups {
    group: PathBuf,
    bounds: Bounds,
}

impl Cgroups {
    /// Below what was delegated, with these bounds for each job as far as they can hold there.
    pub fn below(delegated: &Delegated, bounds: Bounds) -> Self {
        let holds = delegated.hand_down(bounds);
        let why = "their controllers are not handed down (systemd 254: `DelegateSubgroup=daemon`)";
        if holds.memory != bounds.memory {
            tracing::warn!(why, "the bound on the memory of jobs does not hold");
        }
        // There is one as shipped, so this is no more than worth knowing.
        if holds.processes != bounds.processes {
            tracing::info!(why, "the bound on the processes of jobs does not hold");
        }
        Self { group: delegated.group().to_owned(), bounds: holds }
    }

    /// Below this group, without bounds.
    pub fn at(group: impl Into<PathBuf>) -> Self {
        Self { group: group.into(), bounds: Bounds::default() }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The group of a job.
    pub(super) fn of(&self, id: &MinionJobId) -> Leaf {
        Leaf::of(&self.group, &format!("{PREFIX}{id}"))
    }

    /// The group of the job with this journal.
    pub(super) fn of_journal(&self, journal: &Path) -> Option<Leaf> {
        let id = journal.file_name()?.to_str()?.parse().ok()?;
        Some(self.of(&id))
    }

    /// Does what is to be done about the group of a job that was settled.
    pub(super) fn after(&self, id: &MinionJobId, settled: &Result<Settled, JournalError>) {
        let leaf = self.of(id);
        match settled {
            Ok(Settled::Ended(ended, _)) if ended.cancelled => end(&leaf),
            Ok(Settled::Ended(..)) => remove(&leaf),
            _ => {}
        }
    }

    /// Removes the groups in which nobody is, but for those of jobs that may be about to begin: open ones, and those that
    /// somebody who divides the same group made just now.
    pub(super) fn sweep(&self, is_open: impl Fn(&MinionJobId) -> bool) {
        let names = match names_below(&self.group, JUST_NOW) {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(group = %self.group.display(), %error, "cannot look at the groups of jobs");
                return;
            }
        };
        let ids = names.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok());
        ids.filter(|id| !is_open(id)).for_each(|id| remove(&self.of(&id)));
    }
}

/// Ends whatever is in the group of a job, and removes it.
pub(super) fn end(leaf: &Leaf) {
    match leaf.end(GONE) {
        Ok(true) => remove(leaf),
        Ok(false) => tracing::error!(?leaf, "processes of a cancelled job live on"),
        Err(error) => tracing::error!(?leaf, %error, "cannot end what a cancelled job has started"),
    }
}

fn remove(leaf: &Leaf) {
    if let Err(error) = leaf.remove() {
        tracing::debug!(?leaf, %error, "cannot remove the group of a job");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Plain folders do as well, as long as nobody is to be ended.
    #[test]
    fn groups_of_jobs_that_have_ended_go_when_they_are_empty() {
        let folder = tempfile::tempdir().unwrap();
        let cgroups = Cgroups::at(folder.path());
        let [gone, open, full, young] = std::array::from_fn(|_| MinionJobId::fresh());
        let at = |id: &MinionJobId| folder.path().join(format!("job-{id}"));
        for id in [&gone, &open, &full, &young] {
            fs::create_dir(at(id)).unwrap();
        }
        fs::create_dir(folder.path().join("daemon")).unwrap();
        fs::write(at(&full).join("somebody"), "").unwrap();
        let before = std::time::SystemTime::now() - Duration::from_mins(1);
        for id in [&gone, &open, &full] {
            fs::File::open(at(id)).unwrap().set_modified(before).unwrap();
        }
        cgroups.sweep(|id| *id == open);
        assert!(!at(&gone).exists());
        assert!(
            at(&open).exists() && at(&full).exists() && at(&young).exists() && folder.path().join("daemon").exists()
        );
        assert!(cgroups.of_journal(&folder.path().join(full.as_str())).unwrap().exists());
    }
}
