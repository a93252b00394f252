//! A component explained: what it says about itself, and what can be seen of it whatever it says.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    artifact::Artifact,
    uses::{Use, proven},
};
use crate::{
    access::Grant,
    ids::Digest,
    plugin::{self, Cache, Engine, Examined, Method, Module, Right, TypeDocs, examine},
};

/// A component, as its file tells.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The name it gives itself.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Under which licence it is.
    pub licence: Option<String>,
    /// Its modules.
    pub modules: Vec<ModuleSheet>,
    /// What it asks the operator to grant.
    pub asks: Grant,
    /// What it uses without being able to say on what.
    pub operator_chooses: Vec<Right>,
    /// What its imports prove that it may do.
    pub uses: Vec<Use>,
    /// All that it imports, as `interface#function`, or the interface where it only uses types.
    pub imports: Vec<String>,
    /// Why this host cannot run it.
    pub misfit: Option<String>,
}

/// One module of a component.
#[derive(Debug, Serialize)]
pub struct ModuleSheet {
    /// Its name.
    pub name: String,
    /// Its name with its package.
    pub full_name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Its methods.
    pub methods: Vec<MethodSheet>,
    /// Functions that cannot be called, each with the reason.
    pub uncallable: Vec<(String, String)>,
}

/// One method of a module.
#[derive(Debug, Serialize)]
pub struct MethodSheet {
    /// Its name.
    pub name: String,
    /// The method as its caller would write it.
    pub signature: String,
    /// What it does.
    pub doc: String,
    /// What it takes.
    pub parameters: Vec<ParameterSheet>,
    /// The type of its answer.
    pub returns: Option<String>,
    /// The types that it names.
    pub types: Vec<TypeDocs>,
}

/// One parameter of a method.
#[derive(Debug, Serialize)]
pub struct ParameterSheet {
    /// Its name.
    pub name: String,
    /// Its type as WIT text.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it means.
    pub doc: String,
}

impl Inspection {
    /// Inspects a component. What this host cannot run is explained all the same.
    pub fn of(engine: &Engine, cache: Option<&Cache>, artifact: &Artifact) -> Result<Self, plugin::Error> {
        let Examined { digest, metadata, imports, misfit, modules, .. } = examine(engine, cache, &artifact.bytes)?;
        let (modules, unnamed) = match modules {
            Ok(modules) => (modules, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let manifest = metadata.manifest.unwrap_or_default();
        Ok(Self {
            path: artifact.path.clone(),
            digest,
            size: artifact.bytes.len() as u64,
            name: metadata.name,
            version: metadata.version,
            description: metadata.description,
            licence: metadata.licence,
            modules: modules.iter().map(ModuleSheet::of).collect(),
            asks: manifest.asks,
            operator_chooses: manifest.operator_chooses,
            uses: proven(&imports),
            imports: imports
                .iter()
                .flat_map(|import| {
                    let types = import.functions.is_empty().then(|| import.interface.clone());
                    types.into_iter().chain(import.functions.iter().map(|name| format!("{}#{name}", import.interface)))
                })
                .collect(),
            misfit: misfit.or(unnamed).map(|error| error.chain()),
        })
    }
}

impl ModuleSheet {
    fn of(module: &Module) -> Self {
        Self {
            name: module.name.to_string(),
            full_name: module.full_name.to_string(),
            version: module.version.clone(),
            description: module.description.clone(),
            methods: module.methods.iter().map(|(name, method)| MethodSheet::of(&module.name, name, method)).collect(),
            uncallable: module.uncallable.clone().into_iter().collect(),
        }
    }
}

impl MethodSheet {
    fn of(module: &crate::ids::ModuleName, name: &str, method: &Method) -> Self {
        let parameters = method.params.iter().map(|param| ParameterSheet {
            name: param.name.clone(),
            type_name: param.type_name.clone(),
            optional: param.optional,
            doc: param.doc.clone(),
        });
        Self {
            name: name.to_owned(),
            signature: method.signature(&format!("{module}.{name}")),
            doc: method.doc.clone(),
            parameters: parameters.collect(),
            returns: method.result.clone(),
            types: method.types.clone(),
        }
    }
}
