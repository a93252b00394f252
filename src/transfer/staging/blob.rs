//! What is staged, and for whom.

use std::path::{Path, PathBuf};

use crate::ids::Digest;

/// A blob of one caller's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    /// What it is.
    pub digest: Digest,
    /// Whose it is, as a digest of the name.
    pub(super) caller: String,
}

impl Blob {
    /// The blob of this digest that `caller` sends.
    pub fn new(digest: Digest, caller: &str) -> Self {
        let mut caller = Digest::of(caller.as_bytes()).to_string();
        caller.truncate(32);
        Self { digest, caller }
    }

    fn file(&self, folder: &Path, suffix: &str) -> PathBuf {
        folder.join(format!("{}-{}.{suffix}", self.digest, self.caller))
    }

    pub(in crate::transfer) fn part(&self, folder: &Path) -> PathBuf {
        self.file(folder, "part")
    }

    pub(in crate::transfer) fn whole(&self, folder: &Path) -> PathBuf {
        self.file(folder, "whole")
    }
}
