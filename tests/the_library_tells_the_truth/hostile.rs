//! Every method of every shipped module, called with what nobody should send.
//!
//! The grants are to read everything and to run and write nothing, so nothing can be changed however an argument is
//! understood; a plain text once more with no grants at all.

use func::{plugin::CallError, wire::Value};

use crate::harness::{
    direct::{call_granted, compiled, grant},
    shipped_modules,
};

/// Texts that have broken programs.
fn texts() -> Vec<String> {
    let texts = ["", "-rf", "a\nb", "a\0b", "../../etc/shadow", "/", "\u{1b}[2J", "$(reboot)", "é"];
    texts.into_iter().map(str::to_owned).chain(["x".repeat(1 << 20)]).collect()
}

/// A value of a type that is written as WIT, made of one hostile text.
struct Maker<'a> {
    rest: &'a str,
    text: &'a str,
}

impl Maker<'_> {
    fn of(type_name: &str, text: &str) -> Value {
        let mut maker = Maker { rest: type_name, text };
        let value = maker.value();
        assert_eq!(maker.rest, "", "{type_name}");
        value
    }

    fn value(&mut self) -> Value {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.rest = &self.rest[end..];
        match word {
            "string" | "secret" => Value::String(self.text.to_owned()),
            "char" => Value::String("\u{1b}".to_owned()),
            "bool" => Value::Bool(true),
            "f32" | "f64" => Value::Double(-1e30),
            "value" => Value::Nil,
            "u8" | "u16" | "u32" | "u64" | "s8" | "s16" | "s32" | "s64" => {
                Value::Int(i64::from(self.text.len() > 100) * 127)
            }
            "option" => self.inside('<', '>').remove(0),
            "list" if self.rest.starts_with("<u8>") => {
                self.rest = &self.rest[4..];
                Value::Bytes(self.text.as_bytes().to_vec())
            }
            "list" if self.rest.starts_with("<tuple<string, ") => {
                let Value::Array(pair) = self.inside('<', '>').remove(0) else { panic!("{}", self.rest) };
                Value::Struct([(self.text.to_owned(), pair[1].clone())].into())
            }
            "list" | "tuple" => Value::Array(self.inside('<', '>')),
            "record" => self.fields(),
            "enum" => Value::String(self.first_name()),
            "flags" => Value::Array(vec![Value::String(self.first_name())]),
            "variant" => self.first_case(),
            other => panic!("no value of the type `{other}`"),
        }
    }

    fn inside(&mut self, open: char, close: char) -> Vec<Value> {
        self.took(open);
        let mut values = vec![self.value()];
        while self.rest.starts_with(", ") {
            self.rest = &self.rest[2..];
            values.push(self.value());
        }
        self.took(close);
        values
    }

    fn fields(&mut self) -> Value {
        self.rest = self.rest.strip_prefix(" { ").unwrap();
        let mut fields = std::collections::BTreeMap::new();
        loop {
            let (name, rest) = self.rest.split_once(": ").unwrap();
            self.rest = rest;
            fields.insert(name.replace('-', "_"), self.value());
            if let Some(rest) = self.rest.strip_prefix(" }") {
                self.rest = rest;
                return Value::Struct(fields);
            }
            self.rest = self.rest.strip_prefix(", ").unwrap();
        }
    }

    fn first_name(&mut self) -> String {
        let (names, rest) = self.rest.strip_prefix(" { ").unwrap().split_once(" }").unwrap();
        self.rest = rest;
        names.split(", ").next().unwrap().to_owned()
    }

    fn first_case(&mut self) -> Value {
        self.rest = self.rest.strip_prefix(" { ").unwrap();
        let end = self.rest.find(['(', ',', ' ']).unwrap();
        let name = self.rest[..end].to_owned();
        self.rest = &self.rest[end..];
        let case = if self.rest.starts_with('(') {
            Value::Struct([(name, self.inside('(', ')').remove(0))].into())
        } else {
            Value::String(name)
        };
        let mut depth = 1;
        let end = self.rest.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        self.rest = &self.rest[end.unwrap() + 1..];
        case
    }

    fn took(&mut self, expected: char) {
        self.rest = self.rest.strip_prefix(expected).unwrap_or_else(|| panic!("no `{expected}` in {}", self.rest));
    }
}

/// Its methods are there to break, and to wait.
const MEANT: &str = "test";

#[tokio::test]
async fn no_method_traps_whatever_it_is_given() {
    for built in shipped_modules().modules.iter().filter(|built| built.name != MEANT) {
        let plugin = compiled(&built.name);
        for module in plugin.modules() {
            for (name, method) in &module.methods {
                let name = format!("{}.{name}", module.name);
                for text in texts() {
                    let args: Vec<Value> = method.params.iter().map(|p| Maker::of(&p.type_name, &text)).collect();
                    let nothing = (text == "/").then_some("");
                    for grants in nothing.into_iter().chain([r#"read = ["/**"]"#]) {
                        let result = call_granted(&name, &args, grant(grants)).await;
                        match &result {
                            // An answer may also be larger than allowed, or text that the wire has no way to carry.
                            Ok(_) | Err(CallError::TooLarge { .. } | CallError::Unsendable { .. }) => {}
                            Err(CallError::Failed { kind, message, .. }) => {
                                assert!(!kind.is_empty() && kind != "Error", "{name}: {result:?}");
                                // The host's hint of what to grant has the whole path in it.
                                let message = message.split("\nhint: ").next().unwrap_or_default();
                                assert!(message.len() < 2000, "{name} repeats what it was given: {message:.200}");
                                assert!(!message.contains(char::is_control), "{name}: {message:?}");
                            }
                            Err(other) => panic!("{name} with {text:.60?}: {other:?}"),
                        }
                    }
                    if method.params.is_empty() {
                        break;
                    }
                }
            }
        }
    }
}
