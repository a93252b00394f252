//! The store's promises: what was answered is there, damage is noticed, processes take turns.

mod contention;
mod damage;
mod kill;
mod sync;
mod transactions;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{Error, Opening, Table, Tables, once};
use crate::ids::{HostName, OverlordJobId};

/// A table of text by host.
pub(super) struct Notes;

impl Table for Notes {
    const NAME: &'static str = "notes";
    const VERSION: u8 = 2;
    type Key = HostName;
    type Value = String;

    fn upgrade(version: u8, bytes: &[u8]) -> Option<String> {
        (version == 1).then(|| format!("upgraded {}", bytes.len()))
    }
}

/// A table of numbers by job and host.
pub(super) struct Counts;

impl Table for Counts {
    const NAME: &'static str = "counts";
    const VERSION: u8 = 1;
    type Key = (OverlordJobId, HostName);
    type Value = u64;
}

pub(super) fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

pub(super) fn job(number: u64) -> OverlordJobId {
    format!("*-test-add-{number}").parse().unwrap()
}

pub(super) fn act<R>(dir: &Path, act: impl FnOnce(&mut Tables<'_>) -> Result<R, Error>) -> (R, Opening) {
    let (result, opening) = once(dir, act);
    (result.unwrap(), opening)
}

/// Adds one to a number, and answers it.
pub(super) fn count(tables: &mut Tables<'_>, key: &(OverlordJobId, HostName)) -> Result<u64, Error> {
    let number = tables.get::<Counts>(key)?.unwrap_or(0) + 1;
    tables.put::<Counts>(key, &number)?;
    Ok(number)
}

/// Runs the named test of this binary in a process of its own, with `dir` in its environment.
pub(super) fn child(test: &str, dir: &Path) -> Child {
    child_under(Command::new(std::env::current_exe().unwrap()), test, dir)
}

/// The same, as the last words of another command.
pub(super) fn child_under(mut command: Command, test: &str, dir: &Path) -> Child {
    command.args(["--exact", "--nocapture", test]).env(CHILD_DIR, dir).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// The folder that [`child`] gave, in the child.
pub(super) fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD_DIR).map(Into::into)
}

const CHILD_DIR: &str = "FUNC_TEST_STORE";
