//! Modules as introspection shows them, wherever they come from.

use std::{collections::BTreeMap, path::Path};

use super::rules::Outdated;
use crate::{
    access::Provenance,
    ids::{Digest, ModuleName},
    plugin::{LoadFailure, Module, NotServed, Param, TypeDocs},
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
    /// Whether it says of itself that it changes nothing.
    pub(super) read_only: bool,
    /// The types that it names.
    pub(super) types: Vec<TypeDocs>,
}

/// What became of a file's module, or of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct ModuleState {
    pub(super) file: String,
    /// Nothing where the file's contents could not be read.
    pub(super) module: Option<ModuleName>,
    pub(super) version: String,
    pub(super) digest: Option<Digest>,
    pub(super) signer: String,
    /// `serving`, `held`, `unsigned` or `failed`.
    pub(super) state: &'static str,
    pub(super) why: String,
    /// What to add to the configuration for it to be served.
    pub(super) asks: Vec<String>,
}

impl ModuleState {
    pub(super) fn serving(file: &Path, module: &Module, provenance: &Provenance) -> Self {
        Self {
            file: name(file),
            module: Some(module.name.clone()),
            version: module.version.clone(),
            digest: Some(module.digest),
            signer: provenance.to_string(),
            state: "serving",
            ..Self::default()
        }
    }

    /// A module that is a part of the program.
    pub(super) fn native(module: &ModuleView) -> Self {
        let (module, version) = (Some(module.name.clone()), module.version.clone());
        Self { module, version, signer: "built in".to_owned(), state: "serving", ..Self::default() }
    }

    /// The configuration, where what is in force is not what its file says.
    pub(super) fn configuration(outdated: &Outdated) -> Self {
        let why = format!("{}; the grants and signers before its change stay in force", outdated.why);
        Self { file: name(&outdated.file), why, state: "failed", ..Self::default() }
    }

    pub(super) fn not_served(failure: &LoadFailure) -> Self {
        let (file, why) = (name(&failure.file), failure.why.error().to_owned());
        match &failure.why {
            NotServed::Failed { .. } => Self { file, why, state: "failed", ..Self::default() },
            NotServed::Unsigned { .. } => Self { file, why, state: "unsigned", ..Self::default() },
            NotServed::Held { held, asks, .. } => Self {
                file,
                why,
                state: "held",
                module: held.plugin.modules().first().map(|module| module.name.clone()),
                version: held.plugin.modules().first().map(|module| module.version.clone()).unwrap_or_default(),
                digest: Some(held.plugin.digest()),
                signer: held.provenance.to_string(),
                asks: asks.clone(),
            },
        }
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Which code answered, for the audit log.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamp {
    pub(super) version: Option<String>,
    pub(super) digest: Option<Digest>,
}
