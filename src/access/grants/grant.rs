//! What one module may do.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{CommandGrant, NetworkGrant, PathGrant, ServiceGrant, SignalGrant, VariableGrant};

/// What one module may do. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Programs it may run.
    pub run: Vec<CommandGrant>,
    /// Files and folders it may read.
    pub read: Vec<PathGrant>,
    /// Files and folders it may create, change or remove. Writing does not include reading.
    pub write: Vec<PathGrant>,
    /// Variables that it may set for programs that it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<VariableGrant>,
    /// Services that it may look at and change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceGrant>,
    /// Services that it may look at.
    #[serde(rename = "services-read", skip_serializing_if = "Vec::is_empty")]
    pub services_read: Vec<ServiceGrant>,
    /// Where on the network it may connect to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkGrant>,
    /// Processes that it may send signals to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signal: Vec<SignalGrant>,
}

impl Grant {
    /// Whether `path`, which is absolute and free of symbolic links, may be read. `resolve` makes such
    /// a path of one that a grant names.
    pub fn may_read(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.read.iter().any(|grant| grant.leads_to(path, &resolve))
    }

    /// Whether `path`, which is absolute and free of symbolic links, may be written.
    pub fn may_write(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.write.iter().any(|grant| grant.leads_to(path, &resolve))
    }

    /// Whether the program at `location` may be run; see [`CommandGrant::covers`].
    pub fn may_run(&self, location: &Path, on_path: bool, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.run.iter().any(|grant| grant.covers(location, on_path, &resolve))
    }

    /// Whether a grant that covers the program and these arguments says that it only reads.
    pub fn only_reads(
        &self,
        location: &Path,
        on_path: bool,
        arguments: &[String],
        resolve: impl Fn(&Path) -> Option<PathBuf>,
    ) -> bool {
        let reads = |grant: &CommandGrant| grant.read_only && grant.takes(arguments);
        self.run.iter().any(|grant| reads(grant) && grant.covers(location, on_path, &resolve))
    }

    /// Whether it may be given these arguments; see [`Arguments`].
    pub fn may_run_with(
        &self,
        location: &Path,
        on_path: bool,
        arguments: &[String],
        resolve: impl Fn(&Path) -> Option<PathBuf>,
    ) -> bool {
        self.run.iter().any(|grant| grant.takes(arguments) && grant.covers(location, on_path, &resolve))
    }

    /// Whether any program of this name, wherever it is, might be run: false means that no look at the
    /// disk could make it so.
    pub fn might_run(&self, name: &OsStr) -> bool {
        self.run.iter().any(|grant| grant.might_cover(name))
    }

    /// Adds more.
    pub fn extend(&mut self, more: Self) {
        self.run.extend(more.run);
        self.read.extend(more.read);
        self.write.extend(more.write);
        self.env.extend(more.env);
        self.services.extend(more.services);
        self.services_read.extend(more.services_read);
        self.network.extend(more.network);
        self.signal.extend(more.signal);
    }
}
