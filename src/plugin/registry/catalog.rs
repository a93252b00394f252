//! What is served at one moment.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    access::Provenance,
    ids::{MethodName, ModuleName},
    plugin::{Method, Module, Plugin},
};

/// The modules that are served at one moment, and the files that are not.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    served: Vec<Served>,
    /// Index of the plugin and of the module in it, by short and by full name.
    names: BTreeMap<ModuleName, (usize, usize)>,
    failures: Vec<LoadFailure>,
}

/// A plugin, and who stands behind it.
#[derive(Debug, Clone)]
pub struct Served {
    /// The file it was loaded from.
    pub file: PathBuf,
    /// The plugin; clone it to keep this version for a call.
    pub plugin: Plugin,
    /// Who signed it.
    pub provenance: Provenance,
}

/// A file whose present contents are not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFailure {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub why: NotServed,
    /// Whether an older version of it serves on.
    pub still_serving: bool,
}

/// Why a file's contents are not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServed {
    /// They cannot be: the error, with its causes.
    Failed {
        /// The reason.
        error: String,
    },
    /// They ask for more than is granted, and the version before them serves on until it is.
    Held {
        /// In words.
        error: String,
        /// What waits.
        held: Served,
        /// What to add to the configuration.
        asks: Vec<String>,
    },
    /// They have no signature, perhaps not yet.
    Unsigned {
        /// What to do about it.
        error: String,
    },
}

/// The same version from the same file.
impl PartialEq for Served {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.plugin.digest() == other.plugin.digest() && self.provenance == other.provenance
    }
}

impl Eq for Served {}

impl NotServed {
    /// The reason as text.
    pub fn error(&self) -> &str {
        let (Self::Failed { error } | Self::Unsigned { error } | Self::Held { error, .. }) = self;
        error
    }
}

/// A method to call, with the plugin that has it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The plugin; clone it to keep this version for the call.
    pub plugin: &'a Plugin,
    /// Who stands behind it.
    pub provenance: &'a Provenance,
    /// The module.
    pub module: &'a Module,
    /// The method.
    pub method: &'a Method,
}

/// Why a name leads to no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// No such module.
    #[error("there is no module `{module}`{}", hint.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Module {
        /// The name.
        module: ModuleName,
        /// A module of a similar name.
        hint: Option<ModuleName>,
    },
    /// The module has no such method.
    #[error("the module `{module}` has no method `{method}`{}", hint.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Method {
        /// The module.
        module: ModuleName,
        /// The name.
        method: String,
        /// A method of a similar name.
        hint: Option<String>,
    },
    /// The function exists but cannot be called from the wire.
    #[error("`{module}.{method}` cannot be called: {why}")]
    Uncallable {
        /// The module.
        module: ModuleName,
        /// The name.
        method: String,
        /// The reason.
        why: String,
    },
}

impl Catalog {
    pub(super) fn new(served: Vec<Served>, failures: Vec<LoadFailure>) -> Self {
        let mut names = BTreeMap::new();
        for (at, served) in served.iter().enumerate() {
            for (index, module) in served.plugin.modules().iter().enumerate() {
                names.insert(module.name.clone(), (at, index));
                names.insert(module.full_name.clone(), (at, index));
            }
        }
        Self { served, names, failures }
    }

    /// The modules, by their short names.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        let mut modules: Vec<_> = self.served.iter().flat_map(|served| served.plugin.modules()).collect();
        modules.sort_by(|a, b| a.name.cmp(&b.name));
        modules.into_iter()
    }

    /// The plugins that contribute facts, to be called as `minion:host/facts.collect`.
    pub fn fact_plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.served.iter().map(|served| &served.plugin).filter(|plugin| plugin.contributes_facts())
    }

    /// The plugins, in the order of their files.
    pub fn served(&self) -> &[Served] {
        &self.served
    }

    /// The files whose present contents are not served.
    pub fn failures(&self) -> &[LoadFailure] {
        &self.failures
    }

    /// A module by its short or full name.
    pub fn module(&self, name: &ModuleName) -> Option<(&Served, &Module)> {
        let (served, module) = *self.names.get(name)?;
        let served = self.served.get(served)?;
        Some((served, served.plugin.modules().get(module)?))
    }

    /// The method of a name, or what is wrong with the name.
    pub fn resolve(&self, name: &MethodName) -> Result<Target<'_>, Unknown> {
        let Some((served, module)) = self.module(name.module()) else {
            let hint = similar(name.module().as_str(), self.names.keys().map(ModuleName::as_str));
            return Err(Unknown::Module {
                module: name.module().clone(),
                hint: hint.and_then(|name| name.parse().ok()),
            });
        };
        let method = name.method();
        match (module.methods.get(method), module.uncallable.get(method)) {
            (Some(method), _) => Ok(Target { plugin: &served.plugin, provenance: &served.provenance, module, method }),
            (None, Some(why)) => {
                Err(Unknown::Uncallable { module: module.name.clone(), method: method.to_owned(), why: why.clone() })
            }
            (None, None) => {
                let hint = similar(method, module.methods.keys().map(String::as_str)).map(str::to_owned);
                Err(Unknown::Method { module: module.name.clone(), method: method.to_owned(), hint })
            }
        }
    }
}

/// The name that is two slips of the finger away from the one given at most, for "did you mean"; one, where there are few
/// letters.
pub fn similar<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = if given.len() > 3 { 2 } else { given.len() / 2 };
    let alike = names.filter(|name| name.len().abs_diff(given.len()) <= slips);
    let near = alike.map(|name| (strsim::osa_distance(given, name), name)).filter(|(distance, _)| *distance <= slips);
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let names = ["usage", "status", "list"];
        assert_eq!(similar("useage", names.into_iter()), Some("usage"));
        assert_eq!(similar("stauts", names.into_iter()), Some("status"));
        assert_eq!(similar("reboot", names.into_iter()), None);
        assert_eq!(similar("lis", names.into_iter()), Some("list"));
        assert_eq!(similar("li", names.into_iter()), None);
        assert_eq!(similar("ad", ["add", "all"].into_iter()), Some("add"));
        assert_eq!(similar("", ["a"].into_iter()), None);
    }
}
