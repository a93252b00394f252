//! What a plugin offers: modules, their methods, and the methods' parameters.

use std::collections::BTreeMap;

use wasmtime::component::{ComponentExportIndex, types::ComponentFunc};

use super::{TypeDocs, bytes_path::BytesPath, secrecy};
use crate::{
    ids::{Digest, ModuleName},
    wire::{Secrecy, Value},
};

/// The methods that every module answers by itself, so a function of such a name is not callable.
pub const RESERVED: [&str; 6] =
    ["module_version", "module_api_version", "module_description", "list_methods", "grep", "get_method_args"];

/// An exported interface, as callers see it.
#[derive(Debug, Clone)]
pub struct Module {
    /// The interface's name: `disk`.
    pub name: ModuleName,
    /// The name with its package, without the version: `acme:disk/disk`.
    pub full_name: ModuleName,
    /// The version: that of the interface's package, else the one the component's metadata gives, else
    /// `0.0.0`.
    pub version: String,
    /// What it is for: the interface's documentation, else the component's description, else empty.
    pub description: String,
    /// The component it comes from.
    pub digest: Digest,
    /// Its methods by their names on the wire.
    pub methods: BTreeMap<String, Method>,
    /// Functions that exist but cannot be called, with the reason.
    pub uncallable: BTreeMap<String, String>,
}

/// An exported function, as callers see it.
#[derive(Debug, Clone)]
pub struct Method {
    /// Its parameters in order.
    pub params: Vec<Param>,
    /// The type of its result as WIT text; nothing when it has none.
    pub result: Option<String>,
    /// Its documentation, or empty.
    pub doc: String,
    /// Whether its documentation says, by `@read-only`, that it changes nothing.
    pub read_only: bool,
    /// The types that it names, as far as its documentation tells.
    pub types: Vec<TypeDocs>,
    pub(super) entry: Entry,
}

/// How to find and call the function inside the component.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) function: ComponentExportIndex,
    pub(super) ty: ComponentFunc,
    /// The fast way, where bytes are in the signature.
    pub(super) bytes: Option<BytesPath>,
    /// The full name of the method, for messages.
    pub(super) shown: String,
}

/// One parameter of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name on the wire.
    pub name: String,
    /// Its type as WIT text.
    pub type_name: String,
    /// Which parts of it are secret.
    pub secrecy: Secrecy,
    /// Its type in the words of introspection: `int`, `string`, `boolean`, `float`, `hash`, `list`,
    /// `base64` or `any`.
    pub wire_type: &'static str,
    /// Whether nil is a value of it. Such parameters at the end of a call may be left out.
    pub optional: bool,
    /// Its documentation, or empty.
    pub doc: String,
    /// The values it may take, for enums and flags.
    pub options: Vec<String>,
    /// The smallest value, for integers.
    pub min: Option<i64>,
    /// The largest value, for integers.
    pub max: Option<i64>,
}

impl Method {
    /// How many arguments a call must have at least: all up to the last that is not optional.
    pub fn required(&self) -> usize {
        self.params.iter().rposition(|param| !param.optional).map_or(0, |last| last + 1)
    }

    /// Whether anything that it takes is secret.
    pub fn takes_secrets(&self) -> bool {
        self.params.iter().any(|param| !param.secrecy.is_open())
    }

    /// Whether there is a secret in what it answers, which nobody sees.
    pub fn answers_secrets(&self) -> bool {
        self.entry.ty.results().any(|ty| !secrecy::of(&ty).is_open())
    }

    /// Texts that it takes, by their places, and that by their names are secrets and by their types are not.
    pub fn open_secrets(&self) -> Vec<String> {
        self.entry.ty.params().flat_map(|(name, ty)| secrecy::misnamed(name, &ty)).collect()
    }

    /// The arguments of a call with their secrets sealed. Of arguments that do not fit, more than that may be.
    pub fn seal(&self, args: Vec<Value>) -> Vec<Value> {
        secrecy::seal(&self.params, self.required(), args)
    }

    /// The method as its caller would write it: `usage(path: string, depth: option<u32>) -> u64`.
    pub fn signature(&self, name: &str) -> String {
        let params = self.params.iter().map(|param| format!("{}: {}", param.name, param.type_name));
        let params = params.collect::<Vec<_>>().join(", ");
        match &self.result {
            Some(result) => format!("{name}({params}) -> {result}"),
            None => format!("{name}({params})"),
        }
    }
}
