//! What an author says of a module, in whatever language it is written.

use std::path::PathBuf;

use crate::plugin::Manifest;

/// A module's project: what travels in the component besides its code and its documentation.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: Option<String>,
    pub(super) license: Option<String>,
    /// What it asks for.
    pub(super) manifest: Manifest,
    /// Its folder, with the WIT in `wit`.
    pub(super) folder: PathBuf,
}
