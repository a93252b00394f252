//! Modules as introspection shows them, wherever they come from.

use std::collections::BTreeMap;

use crate::{
    ids::{Digest, ModuleName},
    plugin::Param,
};

/// A module.
#[derive(Debug, Clone)]
pub(super) struct ModuleView {
    pub(super) name: ModuleName,
    pub(super) full_name: ModuleName,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) methods: BTreeMap<String, MethodView>,
    /// Functions that exist and cannot be called, with the reason.
    pub(super) uncallable: BTreeMap<String, String>,
}

/// One of its methods.
#[derive(Debug, Clone, Default)]
pub(super) struct MethodView {
    pub(super) params: Vec<Param>,
    /// The result's type as WIT text.
    pub(super) result: Option<String>,
    pub(super) doc: String,
}

/// Which code answered, for the audit log.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamp {
    pub(super) version: Option<String>,
    pub(super) digest: Option<Digest>,
}
