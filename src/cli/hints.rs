//! The overlord's errors as failures of a command: which exit code each deserves, and what to do next.

use std::io;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use crate::fleet::{GroupError, Outcome};
use crate::ids::HostName;
use crate::overlord::{Error, ScheduleError};
use crate::store;

/// For an inventory without minions.
const NO_MINIONS: &str = "enter one with `func ca issue NAME --role minion --address HOST:PORT`; if there are some, set \
                          FUNC_HOME to their overlord's folder";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, hint) = match &error {
            Error::UnknownJob { .. } => (Exit::Configuration, "list the jobs with `func job list`"),
            Error::BeingHandedOut { .. } => {
                (Exit::StillRunning, "look at it with `func job status`, or wait with `func job wait`")
            }
            Error::NothingToRetry { .. } => {
                (Exit::NoHost, "see how its hosts have ended with `func job status`, and name those ends")
            }
            Error::Live { .. } => {
                (Exit::StillRunning, "wait for it with `func job wait`, or end it with `func job cancel`")
            }
            Error::SecretGone { id, .. } | Error::WrongSecrets { id, .. } => {
                let hint = format!(
                    "give it again with `--secret @secret:?`, which asks for it, or `--secret @secret:FILE`; what the hosts do \
                     that have it comes in with `func job wait '{id}'`"
                );
                return Self::new(Exit::Usage, error).hint(hint);
            }
            Error::Schedule(error) => of_schedule(error),
            Error::NoMinions { .. } => (Exit::NoHost, NO_MINIONS),
            Error::NoStore { .. } => (
                Exit::Configuration,
                "make one with `func call TARGET METHOD --async`; if there are some, set FUNC_HOME to their overlord's folder",
            ),
            Error::NoHost(none) if none.unsure() > 0 => {
                (Exit::NoHost, "of some hosts the facts are not known here: ask them with `func facts refresh`")
            }
            Error::NoHost(_) => (Exit::NoHost, "list the minions with `func hosts`"),
            Error::Groups(error) => (Exit::Configuration, of_groups(error)),
            Error::Facts(_) | Error::Down(_) | Error::Inventory(_) => {
                (Exit::Configuration, "mend that file, or run this as a user who may read it")
            }
            Error::Identity(_) => (
                Exit::Identity,
                "make an identity with `func ca init`; where there is an authority already, issue one with \
                 `func ca issue NAME --role overlord --out DIR` and put its files there",
            ),
            Error::Lock { source, .. } => (Exit::Configuration, refused(source.kind())),
            Error::Store(error) => match of_store(error) {
                Some(hint) => (Exit::Configuration, hint),
                None => return Self::new(Exit::Internal, error.clone()),
            },
            _ => return Self::new(Exit::Internal, error),
        };
        Self::new(exit, error).hint(hint)
    }
}

/// Tells what the operator can do about hosts that are not where the inventory has them.
pub(super) fn of_unreachable(hosts: &[(HostName, Outcome)]) {
    let there = |outcome: &Outcome| !matches!(outcome, Outcome::Unreachable { .. });
    if hosts.iter().any(|(_, outcome)| !there(outcome)) {
        Context::say("hint: correct a wrong address with `func hosts set NAME HOST:PORT`");
    }
}

/// What the operator can do about groups.
pub(super) fn of_groups(error: &GroupError) -> &'static str {
    match error {
        GroupError::Unknown { .. } => "list the groups with `func group list`",
        GroupError::Silent { .. } => "mend that, and ask it again with `func group refresh`",
        GroupError::NoSource { .. } => "see what stands below `[sources]` in `groups.toml`",
        GroupError::Told { .. } => {
            "change what that source tells, or add a group of this name, which then counts instead"
        }
        GroupError::Held { .. } => "take it out of that group first, with `func group remove GROUP MEMBER`",
        GroupError::Write { source, .. } => refused(source.kind()),
        _ => "mend `groups.toml` in the configuration folder",
    }
}

/// What the operator can do about a schedule.
fn of_schedule(error: &ScheduleError) -> (Exit, &'static str) {
    use ScheduleError as E;
    match error {
        E::Cron { .. } | E::Never { .. } => {
            (Exit::Usage, "write it like '30 2 * * *' for half past two each day, or '*/10 * * * mon-fri'")
        }
        E::Zone { .. } => (
            Exit::Configuration,
            "write it like Europe/Prague; where no zone but UTC is known, install the system's package `tzdata`",
        ),
        E::Unknown { .. } => (Exit::Configuration, "list the schedules with `func schedule list`"),
        E::Exists { .. } => (Exit::Configuration, "say --replace to set it anew, or take another name"),
        E::Secret { .. } => (
            Exit::Usage,
            "have the method read the secret on its host, from a file or a setting of its module; or have a timer of the system \
             run `func call` with `@secret:FILE`",
        ),
        E::Untold { .. } => (Exit::NobodyReachable, "start a host of the target that has the method, and try again"),
        E::Missing { .. } => (Exit::Configuration, "list what there is with `func doc`"),
        E::Misfit { .. } => (Exit::Usage, "see `func doc MODULE.METHOD`"),
        E::Open { .. } => (
            Exit::StillRunning,
            "wait for it with `func job wait`, or end it with `func job cancel`; --allow-overlap lets runs overlap",
        ),
        _ => (Exit::Internal, "set it anew with `func schedule add --replace`"),
    }
}

/// What the operator can do about a store that does not work; nothing if the fault is the program's.
fn of_store(error: &store::Error) -> Option<&'static str> {
    use store::Error as E;
    Some(match error {
        E::Busy { .. } => "wait until that process is done, or end it, and try again",
        E::Newer { .. } | E::Version { .. } => "use the version of func that wrote it",
        E::Broken { .. } => "put a copy of the store from before in its place, or move it away to begin a new one",
        E::Row { doing: "read", .. } => "the other jobs are not touched by it; list them with `func job list`",
        other => refused(other.refused()?),
    })
}

/// What the operator can do about a file that the system does not let us use.
fn refused(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::StorageFull | K::QuotaExceeded => "the disk is full: make room on it and try again",
        K::ReadOnlyFilesystem => "that file system is read-only: mount it writable, or move the folder by FUNC_HOME",
        K::PermissionDenied => "run this as the user whom that folder belongs to, or use another one by FUNC_HOME",
        K::NotADirectory | K::AlreadyExists | K::IsADirectory => "something else is in its place: move it away",
        _ => "see that the disk which holds it is well, and try again",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_store_that_the_system_refuses_is_no_fault_of_ours_and_says_what_to_do() {
        for (kind, told) in [
            (io::ErrorKind::StorageFull, "the disk is full"),
            (io::ErrorKind::ReadOnlyFilesystem, "read-only"),
            (io::ErrorKind::PermissionDenied, "as the user"),
            (io::ErrorKind::NotADirectory, "in its place"),
            (io::ErrorKind::Other, "the disk which holds it"),
        ] {
            let source = || Arc::new(io::Error::from(kind));
            let path = || PathBuf::from("/var/lib/func/store");
            for error in [
                store::Error::Io { doing: "open", path: path(), source: source() },
                store::Error::Commit { path: path(), source: source() },
            ] {
                let failure = Failure::from(Error::Store(error));
                let text = failure.to_text(false);
                assert!(text.contains("`/var/lib/func/store`") && text.contains(told), "{text}");
                assert_eq!(failure.exit(), Exit::Configuration);
            }
        }
        assert_eq!(Failure::from(Error::Store(store::Error::Closed)).exit(), Exit::Internal);
    }
}
