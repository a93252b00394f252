//! From a component's exports to modules and methods.
//!
//! Every exported interface that has a package is a module, and every function of it a method. What
//! cannot be called (resources, streams, futures, names that introspection needs) is listed with the
//! reason. Exports without a package are the component's own business, and so are interfaces of the
//! host's package, which the minion itself calls (`minion:host/facts`).

use std::collections::BTreeMap;

use wasmtime::component::{
    Component,
    types::{ComponentFunc, ComponentItem},
};

use super::{
    bytes_path::BytesPath,
    error::Error,
    metadata::{InterfaceDocs, Metadata},
    module::{Entry, Method, Module, Param, RESERVED},
    secrecy,
    signature::{self, unsupported, wit},
    values::wire_name,
};
use crate::ids::{Digest, ModuleName};

/// The package whose exported interfaces are not modules.
const HOST_PACKAGE: &str = "minion:host/";

/// The modules of a component, and the functions of the host's package that it exports.
pub(super) fn modules(
    component: &Component,
    digest: Digest,
    metadata: &Metadata,
) -> Result<(Vec<Module>, Option<Module>), Error> {
    let mut modules = Vec::<Module>::new();
    let mut facts = None;
    let engine = component.engine();
    let types = component.component_type();
    for (export, item) in types.exports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let Some(id) = InterfaceId::parse(export) else { continue };
        let Some(parent) = component.get_export_index(None, export) else { continue };
        let docs = metadata.docs.interface(id.full);
        let mut module = Module {
            name: id.short.parse()?,
            full_name: id.full.parse()?,
            version: id.version.map(str::to_owned).or_else(|| metadata.version.clone()).unwrap_or("0.0.0".to_owned()),
            description: docs
                .map(|docs| docs.text.clone())
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| metadata.description.clone().unwrap_or_default()),
            digest,
            methods: BTreeMap::new(),
            uncallable: BTreeMap::new(),
        };
        for (name, item) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(ty) = item.ty else { continue };
            let Some(function) = component.get_export_index(Some(&parent), name) else { continue };
            if let Some(why) = uncallable(name, &ty) {
                module.uncallable.insert(wire_name(name), why);
                continue;
            }
            let bytes = BytesPath::of(&ty, &types);
            let entry = Entry { function, ty, bytes, shown: format!("{}.{}", module.name, wire_name(name)) };
            module.methods.insert(wire_name(name), method(name, entry, docs));
        }
        if export.starts_with(HOST_PACKAGE) {
            if id.short == "facts" {
                facts = Some(module);
            }
        } else if let Some(other) = modules.iter().find(|other| other.name == module.name) {
            return Err(Error::SameName {
                name: module.name.to_string(),
                first: other.full_name.to_string(),
                second: module.full_name.to_string(),
            });
        } else {
            modules.push(module);
        }
    }
    if modules.is_empty() && facts.is_none() { Err(Error::NoModule) } else { Ok((modules, facts)) }
}

/// An exported interface's name, `namespace:package/interface@version`.
pub(super) struct InterfaceId<'a> {
    /// Without the version.
    pub(super) full: &'a str,
    pub(super) short: &'a str,
    version: Option<&'a str>,
}

impl<'a> InterfaceId<'a> {
    /// The name of an export that is a module.
    pub(super) fn of_module(export: &'a str) -> Option<Self> {
        Self::parse(export).filter(|_| !export.starts_with(HOST_PACKAGE))
    }

    fn parse(export: &'a str) -> Option<Self> {
        let (full, version) = match export.split_once('@') {
            Some((full, version)) => (full, Some(version)),
            None => (export, None),
        };
        let (package, short) = full.rsplit_once('/')?;
        package.contains(':').then_some(Self { full, short, version })
    }
}

fn uncallable(name: &str, ty: &ComponentFunc) -> Option<String> {
    if name.contains('[') {
        return Some("it belongs to a resource".to_owned());
    }
    if RESERVED.contains(&wire_name(name).as_str()) {
        return Some(format!("every module answers `{}` by itself", wire_name(name)));
    }
    if name.parse::<ModuleName>().is_err() {
        return Some("its name cannot be written on the wire".to_owned());
    }
    let parameter = ty.params().find_map(|(_, ty)| unsupported(&ty));
    parameter.or_else(|| ty.results().find_map(|ty| unsupported(&ty))).map(str::to_owned)
}

fn method(name: &str, entry: Entry, docs: Option<&InterfaceDocs>) -> Method {
    let docs = docs.and_then(|docs| docs.functions.get(name));
    let params = entry.ty.params().map(|(name, ty)| {
        let range = signature::range(&ty);
        Param {
            name: wire_name(name),
            type_name: wit(&ty),
            secrecy: secrecy::of(&ty),
            wire_type: signature::wire(&ty),
            optional: matches!(ty, wasmtime::component::types::Type::Option(_)),
            doc: docs.and_then(|docs| docs.params.get(name).cloned()).unwrap_or_default(),
            options: signature::options(&ty),
            min: range.map(|(min, _)| min),
            max: range.map(|(_, max)| max),
        }
    });
    let params = params.collect();
    let result = entry.ty.results().next();
    let result = result.map(|ty| wit(&ty));
    let read_only = docs.is_some_and(|docs| docs.read_only);
    let types = docs.map(|docs| docs.types.clone()).unwrap_or_default();
    Method { params, result, doc: docs.map(|docs| docs.text.clone()).unwrap_or_default(), read_only, types, entry }
}
