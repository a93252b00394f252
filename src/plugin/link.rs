//! Linking a component to the host, with every missing import in the message.

use wasmtime::component::{Component, InstancePre, Linker, types::ComponentItem};

use super::{error::Error, state::State};

/// Checks every import against what the host offers.
pub(super) fn instance(linker: &Linker<State>, component: &Component) -> Result<InstancePre<State>, Error> {
    linker.instantiate_pre(component).map_err(|error| {
        let missing = missing(linker, component);
        if missing.is_empty() { Error::Link { source: error.into() } } else { Error::Imports { missing } }
    })
}

/// The imports that the linker does not have. (wasmtime's own error stops at the first.)
///
/// A linker cannot be asked for its names, but it refuses to define one twice; so each import is
/// defined in a copy, and those that can be were missing.
fn missing(linker: &Linker<State>, component: &Component) -> Vec<String> {
    let mut probe = linker.clone();
    let mut missing = Vec::new();
    for (name, item) in component.component_type().imports(component.engine()) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                let Ok(mut target) = probe.instance(&offered_name(name)) else {
                    missing.push(name.to_owned());
                    continue;
                };
                for (function, item) in instance.exports(component.engine()) {
                    let absent = match item.ty {
                        ComponentItem::ComponentFunc(_) => target.func_new(function, |_, _, _, _| Ok(())).is_ok(),
                        ComponentItem::Resource(ty) => target.resource(function, ty, |_, _| Ok(())).is_ok(),
                        _ => false,
                    };
                    if absent {
                        missing.push(format!("{name}#{function}"));
                    }
                }
            }
            ComponentItem::Type(_) => {}
            _ => missing.push(name.to_owned()),
        }
    }
    missing
}

/// The version under which our linker has an interface that is compatible with the one wanted.
fn offered_name(wanted: &str) -> String {
    match wanted.split_once('@') {
        Some((interface, version)) if interface.starts_with("wasi:") && version.starts_with("0.2.") => {
            format!("{interface}@{WASI}")
        }
        _ => wanted.to_owned(),
    }
}

/// The version of WASI that wasmtime-wasi defines.
const WASI: &str = "0.2.12";
