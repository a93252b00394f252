//! What a component is, whether or not this host can run it: for tools that explain it rather than call it.

use wasmtime::component::types::ComponentItem;

use super::{cache::Cache, check, engine::Engine, error::Error, link, metadata::Metadata, module::Module, reflect};
use crate::ids::Digest;

/// What was found out about a component without running it.
#[derive(Debug)]
pub struct Examined {
    /// The digest of the file.
    pub digest: Digest,
    /// What the file says about itself.
    pub metadata: Metadata,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Why this host cannot run it, if it cannot.
    pub misfit: Option<Error>,
    /// Its modules, in the order of its exports; or why they cannot be told apart or named.
    pub modules: Result<Vec<Module>, Error>,
    /// Whether it exports `minion:host/facts`, which the minion itself calls.
    pub contributes_facts: bool,
}

/// An interface that a component imports, with what it uses of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its full name, such as `minion:host/files@0.1.0`.
    pub interface: String,
    /// The functions, by their names in WIT.
    pub functions: Vec<String>,
}

/// Examines a component: every file that is a valid one, of whatever host. Compiles it, so it takes the serving engine;
/// with a cache only if its code is not there.
pub fn examine(engine: &Engine, cache: Option<&Cache>, bytes: &[u8]) -> Result<Examined, Error> {
    let component = if let Some(cache) = cache {
        cache.component(engine, bytes)?
    } else {
        check::component(bytes)?;
        engine.compile(bytes)?
    };
    let (digest, metadata) = (Digest::of(bytes), Metadata::read(bytes));
    let mut imports = Vec::new();
    for (name, item) in component.component_type().imports(component.engine()) {
        let functions = match item.ty {
            ComponentItem::ComponentInstance(instance) => instance
                .exports(component.engine())
                .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                .map(|(function, _)| function.to_owned())
                .collect(),
            _ => Vec::new(),
        };
        imports.push(Import { interface: name.to_owned(), functions });
    }
    let misfit = link::instance(engine.linker(), &component).err();
    let (modules, contributes_facts) = match reflect::modules(&component, digest, &metadata) {
        Ok((modules, facts)) => (Ok(modules), facts.is_some()),
        Err(error) => (Err(error), false),
    };
    Ok(Examined { digest, metadata, imports, misfit, modules, contributes_facts })
}
