//! A loaded component: its modules, and what it takes to instantiate it.

use std::{path::Path, sync::Arc};

use wasmtime::component::{Component, InstancePre};

use super::{
    cache::CompiledName, check, engine::Engine, error::Error, link, metadata::Metadata, module::Module, reflect,
    state::State,
};
use crate::{
    access::Grant,
    ids::{Digest, MethodName},
};

/// A loaded component. Cheap to clone; a call in flight keeps the version it began with.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    engine: Engine,
    digest: Digest,
    modules: Vec<Module>,
    facts: Option<Module>,
    asks: Grant,
    instance: InstancePre<State>,
}

impl Plugin {
    /// Compiles a component and keeps the code in memory only. The serving engine.
    pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Self, Error> {
        check::component(bytes)?;
        let component = engine.compile(bytes)?;
        Self::new(engine, &component, Digest::of(bytes), &Metadata::read(bytes))
    }

    /// Loads a component that the daemon has compiled into its cache. The methods have no
    /// documentation then, which the compiled form does not hold.
    pub fn load_compiled(engine: &Engine, path: &Path) -> Result<Self, Error> {
        let name = CompiledName::of(path)?;
        Self::new(engine, &code(engine, path)?, name.digest, &Metadata::default())
    }

    pub(super) fn new(
        engine: &Engine,
        component: &Component,
        digest: Digest,
        metadata: &Metadata,
    ) -> Result<Self, Error> {
        let instance = link::instance(engine.linker(), component)?;
        let (modules, facts) = reflect::modules(component, digest, metadata)?;
        let asks = metadata.manifest.as_ref().map(|manifest| manifest.asks.clone()).unwrap_or_default();
        Ok(Self(Arc::new(Inner { engine: engine.clone(), digest, modules, facts, asks, instance })))
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Its modules, in the order of its exports.
    pub fn modules(&self) -> &[Module] {
        &self.0.modules
    }

    /// What it asks the operator to grant.
    pub fn asks(&self) -> &Grant {
        &self.0.asks
    }

    /// The module of a name, short or full. The functions that the minion itself calls are found
    /// under `minion:host/facts`.
    pub fn module(&self, method: &MethodName) -> Option<&Module> {
        let named = |module: &&Module| module.name == *method.module() || module.full_name == *method.module();
        let hidden = self.0.facts.as_ref().filter(|module| module.full_name == *method.module());
        self.0.modules.iter().find(named).or(hidden)
    }

    /// Whether it exports `minion:host/facts`, to be called as `minion:host/facts.collect`.
    pub fn contributes_facts(&self) -> bool {
        self.0.facts.is_some()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn instance(&self) -> &InstancePre<State> {
        &self.0.instance
    }
}

/// The code in a compiled file.
pub(super) fn code(engine: &Engine, path: &Path) -> Result<Component, Error> {
    crate::sys::compiled::load_compiled(engine.wasmtime(), path)
        .map_err(|error| Error::LoadCompiled { path: path.to_owned(), source: error.into() })
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modules: Vec<_> = self.0.modules.iter().map(|module| module.full_name.as_str()).collect();
        f.debug_struct("Plugin").field("digest", &self.0.digest).field("modules", &modules).finish_non_exhaustive()
    }
}
