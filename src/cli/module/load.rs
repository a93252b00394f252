//! From what an author names on the command line to a component that can be called.

use std::path::Path;

use super::steps::Work;
use crate::author::{Artifact, Inspection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::ids::MethodName;
use crate::plugin::{self, Engine, Method, Module, Plugin};

/// A component and the part of it that was asked for.
pub(super) struct Loaded {
    pub(super) artifact: Artifact,
    pub(super) plugin: Plugin,
}

/// The component at `path`, a file or a module's folder, that has the module of `method`.
pub(super) fn with_method(path: &Path, method: &MethodName) -> Result<Loaded, Failure> {
    let engine = engine()?;
    let mut modules = Vec::new();
    for artifact in Artifact::of(path, &Work)? {
        let plugin = Plugin::compile(&engine, &artifact.bytes).map_err(|error| {
            unusable(error).hint(format!("see all that is wrong with `func module check {}`", artifact.path.display()))
        })?;
        if plugin.module(method).is_some() {
            return Ok(Loaded { artifact, plugin });
        }
        modules.extend(plugin.modules().iter().map(|module| module.name.to_string()));
    }
    let why = format!("`{}` has no module `{}`", path.display(), method.module());
    Err(Failure::new(Exit::Usage, why).hint(format!("name a method of: {}", modules.join(", "))))
}

impl Loaded {
    /// The method, which must be there.
    pub(super) fn method(&self, name: &MethodName) -> Result<(&Module, &Method), Failure> {
        let usage = |why: String| Failure::new(Exit::Usage, why);
        let module =
            self.plugin.module(name).ok_or_else(|| usage(format!("there is no module `{}`", name.module())))?;
        if let Some(why) = module.uncallable.get(name.method()) {
            return Err(usage(format!("`{name}` cannot be called: {why}")));
        }
        let method = module.methods.get(name.method()).ok_or_else(|| {
            let methods: Vec<&str> = module.methods.keys().map(String::as_str).collect();
            usage(format!("there is no method `{name}`")).hint(format!(
                "the methods of `{}`: {}",
                module.name,
                methods.join(", ")
            ))
        })?;
        Ok((module, method))
    }
}

/// The components at `path`, each explained.
pub(super) fn inspections(path: &Path) -> Result<Vec<Inspection>, Failure> {
    let engine = engine()?;
    let artifacts = Artifact::of(path, &Work)?;
    artifacts.iter().map(|artifact| Inspection::of(&engine, artifact).map_err(unusable)).collect()
}

/// The engine of a minion, which compiles.
pub(super) fn engine() -> Result<Engine, Failure> {
    Engine::serving().map_err(unusable)
}

/// A component that this host cannot run.
pub(super) fn unusable(error: plugin::Error) -> Failure {
    Failure::new(Exit::Configuration, error)
}
