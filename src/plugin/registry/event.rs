//! What becomes of plugin files, for logs.

use std::path::PathBuf;

use super::NotServed;
use crate::{
    access::Provenance,
    ids::{Digest, ModuleName},
};

/// Something that became of a plugin file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadEvent {
    /// A new file is served.
    Loaded {
        /// The file.
        file: PathBuf,
        /// Its modules.
        modules: Vec<ModuleName>,
        /// Its digest.
        digest: Digest,
        /// Who signed it.
        provenance: Provenance,
    },
    /// A changed file is served in place of what it held before.
    Replaced {
        /// The file.
        file: PathBuf,
        /// Its modules now.
        modules: Vec<ModuleName>,
        /// The digest before.
        old: Digest,
        /// The digest now.
        new: Digest,
        /// Who signed it.
        provenance: Provenance,
    },
    /// A file is gone, or is no longer trusted; its calls in flight go on.
    Unloaded {
        /// The file.
        file: PathBuf,
        /// Its digest.
        digest: Digest,
    },
    /// What a file holds is not served. What it held before, if anything, is still served.
    NotServed {
        /// The file.
        file: PathBuf,
        /// Why.
        why: NotServed,
        /// Whether an older version serves on.
        still_serving: bool,
    },
}

/// Where these events go.
pub trait LoadSink: Send + Sync {
    /// Takes one event. Must not wait.
    fn event(&self, event: LoadEvent);
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl LoadSink for NoSink {
    fn event(&self, _: LoadEvent) {}
}
