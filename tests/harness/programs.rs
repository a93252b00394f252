//! Programs that a machine may have.

use std::path::Path;

use super::skip;

/// Whether all of these are where a minion looks for programs; otherwise says that the test is skipped.
#[track_caller]
pub(crate) fn has(test: &str, programs: &[&str]) -> bool {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let is_there = |program: &&&str| folders.iter().any(|folder| Path::new(folder).join(program).exists());
    match programs.iter().find(|program| !is_there(program)) {
        None => true,
        Some(missing) => {
            skip(test, &format!("this machine has no program `{missing}`"));
            false
        }
    }
}
