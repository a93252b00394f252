//! A method as a minion describes it, and words as values of its types.
//!
//! A word is never guessed at when the method's signature is known: `1` is a number for `test.add`
//! and a text for `test.echo`. Lists and structs are written as JSON.

use std::collections::BTreeMap;

use crate::{
    ids::MethodName,
    plugin::{Param, PartDocs, TypeDocs},
    wire::{Secrecy, Value},
};

/// One parameter, as a minion describes it in `get_method_args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `int`, `string`, `boolean`, `float`, `hash`, `list`, `list*`, or something newer.
    pub kind: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// The values it may take, when there are few.
    pub options: Vec<String>,
    /// What it means.
    pub description: String,
    /// Its type as WIT text, when the minion says so.
    pub wit: String,
    /// Which parts of it are secret.
    pub secrecy: Secrecy,
}

impl From<&Param> for Parameter {
    /// The parameter as a minion would describe it.
    fn from(param: &Param) -> Self {
        Self {
            name: param.name.clone(),
            kind: param.wire_type.to_owned(),
            optional: param.optional,
            options: param.options.clone(),
            description: param.doc.clone(),
            wit: param.type_name.clone(),
            secrecy: param.secrecy.clone(),
        }
    }
}

/// One method, as a minion describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What it does.
    pub description: String,
    /// What it wants, in order.
    pub parameters: Vec<Parameter>,
    /// What it answers, as WIT text, when the minion says so.
    pub returns: String,
    /// Whether it says that it changes nothing.
    pub read_only: bool,
    /// The types that it names, when the minion says so.
    pub types: Vec<TypeDocs>,
}

impl Described {
    /// The method as its author wrote it: `test.add(a: s64, b: s64) -> s64`.
    pub fn signature(&self, method: &MethodName) -> String {
        let parameters = self.parameters.iter().map(|parameter| {
            let kind = if parameter.wit.is_empty() { &parameter.kind } else { &parameter.wit };
            format!("{}: {kind}", parameter.name)
        });
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        let returns = if self.returns.is_empty() { String::new() } else { format!(" -> {}", self.returns) };
        format!("{method}({parameters}){returns}")
    }
}

/// Words that are not what a method wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// A word does not read as its parameter's type.
    #[error("argument {position} (`{name}`) is `{word}`, but it must be {wanted}")]
    Kind {
        /// Counted from 1.
        position: usize,
        /// The parameter.
        name: String,
        /// What was given.
        word: String,
        /// What is wanted, with an article.
        wanted: &'static str,
    },
    /// Too few or too many words.
    #[error("{method} takes {wanted}, but {given} given")]
    Count {
        /// The method.
        method: String,
        /// `2 arguments (a, b)`.
        wanted: String,
        /// `3 were`.
        given: String,
    },
}

/// Reads the answer of `<module>.get_method_args`: methods by name.
pub fn described(answer: &Value) -> BTreeMap<String, Described> {
    let Value::Struct(methods) = answer else { return BTreeMap::new() };
    let read = methods.iter().filter_map(|(name, method)| {
        let Value::Struct(args) = member(method, "args")? else { return None };
        let mut ordered: Vec<(i64, Parameter)> = args.iter().map(|(name, arg)| parameter(name, arg)).collect();
        ordered.sort_by_key(|(order, _)| *order);
        let parameters = ordered.into_iter().map(|(_, parameter)| parameter).collect();
        let (description, returns) = (text(method, "description"), text(method, "returns"));
        let read_only = member(method, "read_only") == Some(&Value::Bool(true));
        Some((name.clone(), Described { description, parameters, returns, read_only, types: types(method) }))
    });
    read.collect()
}

fn types(method: &Value) -> Vec<TypeDocs> {
    let list = |value: &Value, key| match member(value, key) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let part = |value: &Value| PartDocs {
        name: text(value, "name"),
        type_name: text(value, "type"),
        doc: text(value, "description"),
    };
    let docs = |value: &Value| TypeDocs {
        name: text(value, "name"),
        kind: text(value, "kind"),
        doc: text(value, "description"),
        parts: list(value, "parts").iter().map(part).collect(),
    };
    list(method, "types").iter().map(docs).collect()
}

fn text(value: &Value, key: &str) -> String {
    member(value, key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Struct(members) => members.get(key),
        _ => None,
    }
}

fn parameter(name: &str, description: &Value) -> (i64, Parameter) {
    let order = match member(description, "order") {
        Some(Value::Int(order)) => *order,
        _ => i64::MAX,
    };
    let options = match member(description, "options") {
        Some(Value::Array(options)) => options.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let optional = member(description, "optional") == Some(&Value::Bool(true));
    let (kind, about, wit) = (text(description, "type"), text(description, "description"), text(description, "wit"));
    let secrecy = member(description, "secret").and_then(|secrecy| serde_json::from_value(secrecy.to_json()).ok());
    let secrecy = secrecy.unwrap_or_default();
    (order, Parameter { name: name.to_owned(), kind, optional, options, description: about, wit, secrecy })
}

/// The words of a call to `method` as values of its parameters' types. What is secret of them stands there in clear.
pub fn typed(method: &MethodName, words: &[String], parameters: &[Parameter]) -> Result<Vec<Value>, Misfit> {
    let needed = parameters.iter().rposition(|parameter| !parameter.optional).map_or(0, |index| index + 1);
    if words.len() < needed || words.len() > parameters.len() {
        return Err(miscounted(method, words.len(), needed, parameters));
    }
    words.iter().zip(parameters).enumerate().map(|(index, (word, parameter))| one(index + 1, word, parameter)).collect()
}

fn miscounted(method: &MethodName, words: usize, needed: usize, parameters: &[Parameter]) -> Misfit {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let count = if needed == parameters.len() { format!("{needed}") } else { format!("{needed} to {}", names.len()) };
    let wanted = match &names[..] {
        [] => "no arguments".to_owned(),
        [name] => format!("{count} argument ({name})"),
        names => format!("{count} arguments ({})", names.join(", ")),
    };
    let given = if words == 1 { "1 was".to_owned() } else { format!("{words} were") };
    Misfit::Count { method: method.to_string(), wanted, given }
}

fn one(position: usize, word: &str, parameter: &Parameter) -> Result<Value, Misfit> {
    let refuse = |wanted| Misfit::Kind { position, name: parameter.name.clone(), word: clipped(word), wanted };
    let json = || serde_json::from_str::<serde_json::Value>(word).ok();
    if parameter.optional && word == "nil" {
        return Ok(Value::Nil);
    }
    match parameter.kind.as_str() {
        "int" => word.trim().parse().map(Value::Int).map_err(|_| refuse("a whole number")),
        "float" => word.trim().parse().map(Value::Double).map_err(|_| refuse("a number")),
        "boolean" => word.trim().parse().map(Value::Bool).map_err(|_| refuse("`true` or `false`")),
        "list" | "list*" => json()
            .filter(serde_json::Value::is_array)
            .map(|json| Value::from_json(&json))
            .ok_or_else(|| refuse("a list in JSON, like `[1, 2]`")),
        "hash" => json()
            .filter(serde_json::Value::is_object)
            .map(|json| Value::from_json(&json))
            .ok_or_else(|| refuse("a struct in JSON, like `{\"key\": 1}`")),
        "string" => Ok(Value::from(word)),
        _ => Ok(json_or_text(word)),
    }
}

/// The beginning of a word, for an error that is to be read.
fn clipped(word: &str) -> String {
    const LONGEST: usize = 80;
    match word.char_indices().nth(LONGEST) {
        None => word.to_owned(),
        Some((end, _)) => format!("{}…", &word[..end]),
    }
}

/// The value of a word: JSON when it is JSON, text otherwise.
pub fn json_or_text(word: &str) -> Value {
    serde_json::from_str(word).map_or_else(|_| Value::from(word), |json: serde_json::Value| Value::from_json(&json))
}

#[cfg(test)]
impl Parameter {
    /// One without options or words about it.
    pub(crate) fn plain(name: &str, kind: &str, optional: bool) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            optional,
            options: vec![],
            description: String::new(),
            wit: String::new(),
            secrecy: Secrecy::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(words: &[&str], parameters: &[Parameter]) -> Result<Vec<Value>, Misfit> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        typed(&"test.add".parse().unwrap(), &words, parameters)
    }

    #[test]
    fn a_word_becomes_what_the_method_declares() {
        let wanted = [
            Parameter::plain("count", "int", false),
            Parameter::plain("name", "string", false),
            Parameter::plain("list", "list", false),
            Parameter::plain("force", "boolean", true),
        ];
        let values = convert(&["1", "1", "[1, \"a\"]", "true"], &wanted).unwrap();
        let list = Value::Array(vec![Value::Int(1), Value::from("a")]);
        assert_eq!(values, [Value::Int(1), Value::from("1"), list, Value::Bool(true)]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let wanted = [Parameter::plain("a", "int", false), Parameter::plain("b", "int", true)];
        let error = convert(&["one"], &wanted).unwrap_err();
        assert_eq!(error.to_string(), "argument 1 (`a`) is `one`, but it must be a whole number");
        let error = convert(&[], &wanted).unwrap_err();
        assert_eq!(error.to_string(), "test.add takes 1 to 2 arguments (a, b), but 0 were given");
        assert!(convert(&["1", "2", "3"], &wanted).is_err());
        assert_eq!(convert(&["1", "nil"], &wanted).unwrap()[1], Value::Nil);
    }

    #[test]
    fn the_description_of_a_minion_reads_back_in_order() {
        let arg =
            |order: i64, kind: &str| Value::structure([("order", Value::from(order)), ("type", Value::from(kind))]);
        let args = Value::structure([("a", arg(1, "string")), ("z", arg(0, "int"))]);
        let answer = Value::structure([("f", Value::structure([("args", args)]))]);
        let names: Vec<String> =
            described(&answer)["f"].parameters.iter().map(|parameter| parameter.name.clone()).collect();
        assert_eq!(names, ["z", "a"]);
    }
}
