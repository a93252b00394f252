//! The types that a method names: what they are, and what their fields and cases mean, from the comments in the WIT.
//!
//! Reflection keeps no names of types, so this comes from the documentation alone; without it there is none.

use serde::Serialize;
use wit_parser::{Docs as WitDocs, Function, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

use super::values::wire_name;

/// A type that has a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TypeDocs {
    /// Its name.
    pub name: String,
    /// `record`, `variant`, `enum` or `flags`.
    pub kind: String,
    /// What it is, or empty.
    pub doc: String,
    /// Its fields, cases or flags, in order.
    pub parts: Vec<PartDocs>,
}

/// A field, a case or a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartDocs {
    /// Its name on the wire.
    pub name: String,
    /// Its type, with names; empty for what carries nothing.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it means, or empty.
    pub doc: String,
}

/// The host's own types are the same everywhere, and documented there.
const HOST: (&str, &str) = ("minion", "host");

impl TypeDocs {
    /// The types that a function takes and answers, and those inside them, in the order in which they are met.
    pub(super) fn of(resolve: &Resolve, function: &Function) -> Vec<Self> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        for ty in function.parameter_and_result_types() {
            meet(resolve, ty, &mut seen, &mut found);
        }
        found
    }
}

fn meet(resolve: &Resolve, ty: Type, seen: &mut Vec<TypeId>, found: &mut Vec<TypeDocs>) {
    let Type::Id(id) = ty else { return };
    if seen.contains(&id) {
        return;
    }
    seen.push(id);
    let definition = &resolve.types[id];
    if is_of_host(resolve, definition.owner) {
        return;
    }
    if let Some(docs) = docs(resolve, id) {
        found.push(docs);
    }
    // WIT has no recursive types, so this ends.
    for inner in inside(&definition.kind) {
        meet(resolve, inner, seen, found);
    }
}

fn is_of_host(resolve: &Resolve, owner: TypeOwner) -> bool {
    let TypeOwner::Interface(interface) = owner else { return false };
    let package = resolve.interfaces[interface].package.map(|package| &resolve.packages[package].name);
    package.is_some_and(|name| (name.namespace.as_str(), name.name.as_str()) == HOST)
}

fn docs(resolve: &Resolve, id: TypeId) -> Option<TypeDocs> {
    let definition = &resolve.types[id];
    let part = |name: &str, ty: Option<Type>, docs: &WitDocs| PartDocs {
        name: wire_name(name),
        type_name: ty.map(|ty| shown(resolve, ty)).unwrap_or_default(),
        doc: text(docs),
    };
    let parts = match &definition.kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|f| part(&f.name, Some(f.ty), &f.docs)).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|c| part(&c.name, c.ty, &c.docs)).collect(),
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|c| part(&c.name, None, &c.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|f| part(&f.name, None, &f.docs)).collect(),
        _ => return None,
    };
    let kind = definition.kind.as_str().to_owned();
    Some(TypeDocs { name: definition.name.clone()?, kind, doc: text(&definition.docs), parts })
}

fn inside(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => {
            vec![*ty]
        }
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        _ => Vec::new(),
    }
}

/// The type as its author wrote it.
fn shown(resolve: &Resolve, ty: Type) -> String {
    let shown = |ty: Type| shown(resolve, ty);
    let id = match ty {
        Type::Id(id) => id,
        Type::ErrorContext => return "error-context".to_owned(),
        simple => return format!("{simple:?}").to_lowercase(),
    };
    let definition = &resolve.types[id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    match &definition.kind {
        TypeDefKind::Option(ty) => format!("option<{}>", shown(*ty)),
        TypeDefKind::List(ty) => format!("list<{}>", shown(*ty)),
        TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", shown(*ty)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", shown(*key), shown(*value)),
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(|ty| shown(*ty)).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Result(result) => match (result.ok, result.err) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", shown(ok)),
            (ok, Some(err)) => format!("result<{}, {}>", ok.map_or_else(|| "_".to_owned(), shown), shown(err)),
        },
        other => other.as_str().to_owned(),
    }
}

/// On one line: these stand in lists and tables.
fn text(docs: &WitDocs) -> String {
    let words: Vec<&str> = docs.contents.as_deref().unwrap_or_default().split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_cases_are_told_with_what_they_mean() {
        let wit = "package a:b;\n/// I.\ninterface i {\n\
            /// How it is.\nenum state {\n/// All\n/// well.\nok,\nbad-one,\n}\n\
            /// A thing.\nrecord thing {\n/// Its state.\nits-state: option<state>,\nnumbers: list<tuple<string, u8>>,\n}\n\
            f: func(a: list<thing>, b: state) -> result<thing, string>;\n}\n";
        let mut resolve = Resolve::default();
        let package = resolve.push_str("i.wit", wit).unwrap();
        let interface = resolve.packages[package].interfaces["i"];
        let told = TypeDocs::of(&resolve, &resolve.interfaces[interface].functions["f"]);
        let part = |name: &str, type_name: &str, doc: &str| PartDocs {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            doc: doc.to_owned(),
        };
        assert_eq!(told.len(), 2);
        assert_eq!(
            (told[0].name.as_str(), told[0].kind.as_str(), told[0].doc.as_str()),
            ("thing", "record", "A thing.")
        );
        let fields = [part("its_state", "option<state>", "Its state."), part("numbers", "list<tuple<string, u8>>", "")];
        assert_eq!(told[0].parts, fields);
        assert_eq!(told[1].parts, [part("ok", "", "All well."), part("bad_one", "", "")]);
    }
}
