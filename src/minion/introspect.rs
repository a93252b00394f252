//! What the minion says about its modules: `system.…`, and what every module answers of itself.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    backend::Backend,
    builtin::{BUILTINS, Builtin},
    view::{MethodView, ModuleState, ModuleView},
};
use crate::{
    ids::{MethodName, ModuleName},
    plugin::{Param, PartDocs, TypeDocs, similar},
    wire::{RemoteError, Value},
};

/// The methods that every module answers, whether or not it has methods of its own.
pub(super) const OF_EVERY_MODULE: [&str; 6] = crate::plugin::RESERVED;

/// The version of what `module_api_version` stands for.
const API_VERSION: &str = "0.1";

/// Answers `system.NAME`, but for `multicall`.
pub(super) fn system(backend: &impl Backend, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
    let name = builtin.name.trim_start_matches("system.");
    match name {
        "grep" => {
            let [word] = builtin.args(params)?;
            let word = builtin.text(0, word)?.to_lowercase();
            let modules = backend.modules();
            let found = modules.iter().map(|module| (module.name.as_str(), matching(module, &word)));
            Ok(Value::structure(found.filter(|(_, methods)| !methods.is_empty()).map(|(name, m)| (name, m.into()))))
        }
        "methodHelp" => {
            let [method] = builtin.args(params)?;
            let method = builtin.text(0, method)?;
            match Builtin::find(&method) {
                Some(found) => Ok(found.doc.into()),
                None => find(backend, &method, |method| method.doc.as_str().into()),
            }
        }
        "methodSignature" => {
            let [method] = builtin.args(params)?;
            let method = builtin.text(0, method)?;
            let signature = |types: Vec<&'static str>| Value::Array(vec![types.into()]);
            match Builtin::find(&method) {
                Some(found) => Ok(signature(
                    std::iter::once(found.result).chain(found.params.iter().map(|(_, kind)| *kind)).collect(),
                )),
                None => find(backend, &method, |method| {
                    let params = method.params.iter().map(|param| xml_rpc_type(param.wire_type));
                    signature(std::iter::once(result_type(method.result.as_deref())).chain(params).collect())
                }),
            }
        }
        _ => {
            let [] = builtin.args(params)?;
            let modules = backend.modules();
            Ok(match name {
                "ping" => Value::Int(1),
                "time" => Value::Int(jiff::Timestamp::now().as_second()),
                "modules" => backend.states().iter().map(state).collect::<Vec<_>>().into(),
                "inventory" => Value::structure(modules.iter().map(|module| (module.name.as_str(), names(module)))),
                "list_modules" => modules.iter().map(|module| module.name.as_str()).collect::<Vec<_>>().into(),
                _ => list_methods(&modules),
            })
        }
    }
}

/// Answers what every module answers: `MODULE.module_version` and its like.
pub(super) fn of_module(module: &ModuleView, method: &str, params: Vec<Value>) -> Result<Value, RemoteError> {
    let wanted = usize::from(method == "grep");
    if params.len() != wanted {
        let message = format!("{}.{method} takes {wanted} arguments, not {}", module.name, params.len());
        return Err(RemoteError::new("InvalidArguments", message));
    }
    match (method, params.into_iter().next()) {
        ("module_version", _) => Ok(module.version.as_str().into()),
        ("module_api_version", _) => Ok(API_VERSION.into()),
        ("module_description", _) => Ok(module.description.as_str().into()),
        ("list_methods", _) => Ok(names(module)),
        ("grep", Some(Value::String(word))) => {
            let found = matching(module, &word.to_lowercase());
            Ok(Value::structure([(module.name.as_str(), Value::from(found))]))
        }
        ("grep", word) => {
            let kind = word.unwrap_or(Value::Nil).kind();
            Err(RemoteError::new("InvalidArguments", format!("argument `word` of grep: string wanted, not {kind}")))
        }
        _ => Ok(method_args(module)),
    }
}

/// `; did you mean …?`, or nothing.
fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    similar(word, known).map(|found| format!("; did you mean `{found}`?")).unwrap_or_default()
}

/// The error for a name that nothing answers to, with the name that was probably meant.
pub(super) fn unknown(backend: &impl Backend, name: &MethodName) -> RemoteError {
    let Some(module) = backend.module(name.module()) else { return no_module(backend, name.module()) };
    if let Some(why) = module.uncallable.get(name.method()) {
        return RemoteError::new("NotCallable", format!("`{name}` cannot be called: {why}"));
    }
    let hint = hint(name.method(), module.methods.keys().map(String::as_str).chain(OF_EVERY_MODULE));
    RemoteError::new("NoSuchMethod", format!("there is no method `{name}`{hint}"))
}

/// The same for `system.…` and `jobs.…`, which no module can add to.
pub(super) fn unknown_builtin(name: &MethodName) -> RemoteError {
    let name = name.to_string();
    let hint = hint(&name, BUILTINS.iter().map(|builtin| builtin.name));
    RemoteError::new("NoSuchMethod", format!("there is no method `{name}`{hint}"))
}

fn no_module(backend: &impl Backend, name: &ModuleName) -> RemoteError {
    let modules = backend.modules();
    let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let hint = hint(name.as_str(), names.iter().copied().chain(["system", "jobs"]));
    let here =
        if names.is_empty() { "no modules are loaded".to_owned() } else { format!("loaded: {}", names.join(", ")) };
    let hint = if hint.is_empty() { format!("; {here}") } else { hint };
    RemoteError::new("NoSuchModule", format!("there is no module `{name}`{hint}"))
}

fn find(backend: &impl Backend, name: &str, show: impl Fn(&MethodView) -> Value) -> Result<Value, RemoteError> {
    let name: MethodName =
        name.parse().map_err(|error| RemoteError::new("NoSuchMethod", format!("there is no such method: {error}")))?;
    let module = backend.module(name.module());
    let found = module.as_ref().and_then(|module| module.methods.get(name.method()));
    found.map(show).ok_or_else(|| unknown(backend, &name))
}

fn list_methods(modules: &[Arc<ModuleView>]) -> Value {
    let own = BUILTINS.iter().map(|builtin| builtin.name.to_owned());
    let theirs =
        modules.iter().flat_map(|module| module.methods.keys().map(move |method| format!("{}.{method}", module.name)));
    let mut all: Vec<String> = own.chain(theirs).collect();
    all.sort();
    all.into()
}

fn state(state: &ModuleState) -> Value {
    let module = state.module.as_ref().map(ModuleName::as_str).unwrap_or_default();
    let digest = state.digest.map(|digest| digest.to_string()).unwrap_or_default();
    Value::structure([
        ("module", Value::from(module)),
        ("version", state.version.as_str().into()),
        ("digest", digest.as_str().into()),
        ("signer", state.signer.as_str().into()),
        ("file", state.file.as_str().into()),
        ("state", state.state.into()),
        ("why", state.why.as_str().into()),
        ("asks", state.asks.clone().into()),
    ])
}

fn names(module: &ModuleView) -> Value {
    module.methods.keys().map(String::as_str).collect::<Vec<_>>().into()
}

/// The methods that have the word in their name or text; all of them when the module itself has it.
fn matching<'a>(module: &'a ModuleView, word: &str) -> Vec<&'a str> {
    let holds = |text: &str| text.to_lowercase().contains(word);
    let whole = holds(module.name.as_str()) || holds(&module.description);
    let methods = module.methods.iter();
    methods.filter(|(name, method)| whole || holds(name) || holds(&method.doc)).map(|(name, _)| name.as_str()).collect()
}

fn method_args(module: &ModuleView) -> Value {
    let method = |(name, method): (&String, &MethodView)| {
        let args = (0..).zip(&method.params).map(|(order, param)| (param.name.as_str(), argument(order, param)));
        let mut members = BTreeMap::from([
            ("description", Value::from(method.doc.as_str())),
            ("args", Value::structure(args)),
            ("read_only", method.read_only.into()),
        ]);
        if let Some(result) = &method.result {
            members.insert("returns", result.as_str().into());
        }
        if !method.types.is_empty() {
            members.insert("types", method.types.iter().map(type_docs).collect::<Vec<_>>().into());
        }
        (name.clone(), Value::structure(members))
    };
    Value::structure(module.methods.iter().map(method))
}

fn type_docs(docs: &TypeDocs) -> Value {
    let part = |part: &PartDocs| {
        Value::structure([
            ("name", Value::from(part.name.as_str())),
            ("type", part.type_name.as_str().into()),
            ("description", part.doc.as_str().into()),
        ])
    };
    Value::structure([
        ("name", Value::from(docs.name.as_str())),
        ("kind", docs.kind.as_str().into()),
        ("description", docs.doc.as_str().into()),
        ("parts", docs.parts.iter().map(part).collect::<Vec<_>>().into()),
    ])
}

fn argument(order: i64, param: &Param) -> Value {
    let mut members = BTreeMap::from([
        ("type", Value::from(param.wire_type)),
        ("wit", param.type_name.as_str().into()),
        ("optional", param.optional.into()),
        ("description", param.doc.as_str().into()),
        ("order", order.into()),
    ]);
    if !param.secrecy.is_open() {
        // It is made of names alone, which JSON always takes.
        let secrecy = serde_json::to_value(&param.secrecy).unwrap_or_default();
        members.insert("secret", Value::from_json(&secrecy));
    }
    if !param.options.is_empty() {
        members.insert("options", param.options.clone().into());
    }
    for (key, bound) in [("min", param.min), ("max", param.max)] {
        if let Some(bound) = bound {
            members.insert(key, bound.into());
        }
    }
    Value::structure(members)
}

/// From the words of the original's introspection to those of XML-RPC.
fn xml_rpc_type(wire_type: &str) -> &'static str {
    match wire_type {
        "int" => "int",
        "boolean" => "boolean",
        "float" => "double",
        "hash" => "struct",
        "list" | "list*" => "array",
        "base64" => "base64",
        "string" => "string",
        _ => "any",
    }
}

/// The kind of a result, as far as its WIT text tells.
fn result_type(wit: Option<&str>) -> &'static str {
    let Some(wit) = wit else { return "nil" };
    let inside = |prefix| wit.strip_prefix(prefix).and_then(|rest: &str| rest.strip_suffix('>'));
    match wit {
        "bool" => "boolean",
        "string" | "char" => "string",
        "f32" | "f64" => "double",
        "s8" | "u8" | "s16" | "u16" | "s32" | "u32" | "s64" | "u64" => "int",
        "list<u8>" => "base64",
        "result" => "nil",
        _ if wit.starts_with("list<tuple<string, ") => "struct",
        _ if wit.starts_with("list<") || wit.starts_with("tuple<") => "array",
        _ => match inside("result<").map(top_level_head) {
            Some("_") => "nil",
            Some(ok) => result_type(Some(ok)),
            None => "any",
        },
    }
}

/// Of `a<b, c>, d` the first part, `a<b, c>`.
fn top_level_head(types: &str) -> &str {
    let mut depth = 0usize;
    for (at, c) in types.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return &types[..at],
            _ => {}
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_types_are_told_from_their_wit_text() {
        for (wit, kind) in [
            (None, "nil"),
            (Some("u32"), "int"),
            (Some("result<string, error>"), "string"),
            (Some("result<list<tuple<string, u8>>, error>"), "struct"),
            (Some("result<_, error>"), "nil"),
            (Some("result<list<mount>>"), "array"),
            (Some("list<u8>"), "base64"),
            (Some("usage"), "any"),
        ] {
            assert_eq!(result_type(wit), kind, "{wit:?}");
        }
    }
}
