//! From what an author names on the command line to a component that can be called.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::steps::Work;
use crate::author::{Artifact, Inspection};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::ids::MethodName;
use crate::plugin::{self, Cache, Engine, Method, Module, Plugin};

/// A component and the part of it that was asked for.
pub(super) struct Loaded {
    pub(super) artifact: Artifact,
    pub(super) plugin: Plugin,
}

/// The folder of compiled code: a component with an interpreter in it takes seconds to compile, and is looked at many
/// times before it changes.
const COMPILED: &str = "compiled";
/// What all of it may take.
const MOST: u64 = 512 << 20;
/// What nobody has looked at for so long goes.
const IDLE: Duration = Duration::from_hours(30 * 24);

/// The engine of a minion, and what it has compiled for this user.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) cache: Option<Cache>,
}

impl Bench {
    pub(super) fn open(context: &Context) -> Result<Self, Failure> {
        let engine = Engine::serving().map_err(unusable)?;
        // Without one, say in a home that cannot be written, all works as well and takes longer.
        let cache = Cache::open(context.home.state().join(COMPILED)).ok();
        Ok(Self { engine, cache })
    }

    pub(super) fn plugin(&self, artifact: &Artifact) -> Result<Plugin, plugin::Error> {
        match &self.cache {
            Some(cache) => cache.load(&self.engine, &artifact.bytes),
            None => Plugin::compile(&self.engine, &artifact.bytes),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            let _ = cache.collect(&BTreeSet::new(), IDLE);
            let _ = cache.shrink(MOST);
        }
    }
}

/// The component at `path`, a file or a module's folder, that has the module of `method`.
pub(super) fn with_method(context: &Context, path: &Path, method: &MethodName) -> Result<Loaded, Failure> {
    let bench = Bench::open(context)?;
    let mut modules = Vec::new();
    for artifact in Artifact::of(path, &Work)? {
        let plugin = bench.plugin(&artifact).map_err(|error| {
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
pub(super) fn inspections(context: &Context, path: &Path) -> Result<Vec<(Artifact, Inspection)>, Failure> {
    let bench = Bench::open(context)?;
    let inspected = Artifact::of(path, &Work)?.into_iter().map(|artifact| {
        let inspection = Inspection::of(&bench.engine, bench.cache.as_ref(), &artifact).map_err(unusable)?;
        Ok((artifact, inspection))
    });
    inspected.collect()
}

/// A component that this host cannot run.
pub(super) fn unusable(error: plugin::Error) -> Failure {
    Failure::new(Exit::Configuration, error)
}
