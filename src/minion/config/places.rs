//! Where everything of a minion lies.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{MinionConfig, bounds::some};
use crate::tls::IdentityFiles;

/// Folders and files of a minion's state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folders {
    /// The plugin folder: what is dropped here is served.
    pub modules: PathBuf,
    /// Compiled modules; only the daemon writes here.
    pub cache: PathBuf,
    /// One file for each async job.
    pub jobs: PathBuf,
    /// Versions of modules that pushes have replaced.
    pub replaced: PathBuf,
    /// Where what is sent beside calls arrives.
    pub incoming: PathBuf,
    /// What modules keep for themselves.
    pub state: PathBuf,
    /// The audit log.
    pub audit: PathBuf,
    /// Where ACL files of older installations lie, if there are any.
    pub acl: Option<PathBuf>,
}

impl Default for Folders {
    fn default() -> Self {
        Self {
            modules: "modules".into(),
            cache: "cache".into(),
            jobs: "jobs".into(),
            replaced: "replaced".into(),
            incoming: "incoming".into(),
            state: "state".into(),
            audit: "audit.jsonl".into(),
            acl: None,
        }
    }
}

/// A minion that is an overlord too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationConfig {
    /// Those that it passes calls on to; without it, it passes on nothing.
    pub inventory: Option<PathBuf>,
    /// How many calls are passed on at a time.
    #[serde(deserialize_with = "some")]
    pub at_once: usize,
    /// How many of them for one caller.
    #[serde(deserialize_with = "some")]
    pub per_caller: usize,
    /// Where the results of jobs that were passed on wait.
    pub results: PathBuf,
}

impl Default for DelegationConfig {
    fn default() -> Self {
        Self { inventory: None, at_once: 1024, per_caller: 512, results: "delegated".into() }
    }
}

impl MinionConfig {
    /// With every path that is relative taken from there.
    pub(super) fn below(mut self, state: &Path) -> Self {
        let IdentityFiles { certificate, key, authority, revoked } = &mut self.identity;
        let Folders { modules, cache, jobs, replaced, incoming, state: kept, audit, acl } = &mut self.folders;
        for path in [certificate, key, authority, revoked, modules, cache, jobs, replaced, incoming, kept, audit] {
            *path = state.join(&*path);
        }
        let DelegationConfig { inventory, results, .. } = &mut self.overlord;
        *results = state.join(&*results);
        for path in inventory.iter_mut().chain(acl) {
            *path = state.join(&*path);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Home;

    #[test]
    fn relative_paths_lie_below_the_state_folder() {
        let config = MinionConfig::load_or_default(Path::new("/no/such/file"), &Home::at("/srv/func")).unwrap();
        assert_eq!(config.folders.modules, Path::new("/srv/func/modules"));
    }
}
