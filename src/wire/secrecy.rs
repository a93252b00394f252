//! Where the secrets are in what a method takes.
//!
//! Sealing finds them in arguments that came as plain text. What is not as it should be is sealed rather
//! than left open: a text where a struct belongs, a key that the struct does not have, an argument too many
//! may all be the secret of somebody who made a slip.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Secret, Value};

/// The only key of the struct as which a secret may be written, too: that is what it is to a module.
const KEY: &str = "secret";

/// What of a value is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrecy {
    /// Nothing.
    #[default]
    Open,
    /// All of it: it is a text.
    Secret,
    /// This of each element of an array.
    Each(Box<Secrecy>),
    /// This of the value of each member of a struct whose keys are data.
    Values(Box<Secrecy>),
    /// This of the elements of an array, one after the other.
    Items(Vec<Secrecy>),
    /// This of the members of a struct, which has no others.
    Members(BTreeMap<String, Secrecy>),
}

impl Secrecy {
    /// Whether nothing is secret.
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }

    /// The value with its secrets sealed.
    pub fn seal(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Open, value) | (_, value @ (Value::Nil | Value::Secret(_))) => value,
            (Self::Secret, Value::String(text)) => Value::Secret(Secret::new(text)),
            (Self::Secret, Value::Struct(mut members)) if members.len() == 1 => match members.remove(KEY) {
                Some(Value::String(text)) => Value::Secret(Secret::new(text)),
                Some(sealed @ Value::Secret(_)) => sealed,
                _ => hidden(&Value::Struct(members)),
            },
            (Self::Each(each), Value::Array(items)) => {
                Value::Array(items.into_iter().map(|item| each.seal(item)).collect())
            }
            (Self::Values(each), Value::Struct(members)) => {
                Value::Struct(members.into_iter().map(|(key, value)| (key, each.seal(value))).collect())
            }
            (Self::Items(kinds), Value::Array(items)) if items.len() == kinds.len() => {
                Value::Array(kinds.iter().zip(items).map(|(kind, item)| kind.seal(item)).collect())
            }
            (Self::Members(kinds), Value::Struct(members)) => {
                let seal = |(key, value): (String, Value)| {
                    let sealed = match kinds.get(&key.replace('-', "_")) {
                        Some(kind) => kind.seal(value),
                        None => hidden(&value),
                    };
                    (key, sealed)
                };
                Value::Struct(members.into_iter().map(seal).collect())
            }
            // The bare name of a variant's case.
            (Self::Members(kinds), Value::String(name)) if kinds.contains_key(&name.replace('-', "_")) => {
                Value::String(name)
            }
            (_, other) => hidden(&other),
        }
    }
}

/// Any value as a secret: it fits nowhere, and shows nothing.
pub fn hidden(value: &Value) -> Value {
    Value::Secret(Secret::new(value.to_json().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Value {
        Value::Secret(Secret::new(text))
    }

    fn user() -> Secrecy {
        Secrecy::Members([("name".to_owned(), Secrecy::Open), ("pass_word".to_owned(), Secrecy::Secret)].into())
    }

    #[test]
    fn secrets_are_sealed_where_they_are_and_the_rest_stays_open() {
        let given = |key: &str, word| vec![Value::structure([("name", "bob".into()), (key, word)])];
        let sealed = Secrecy::Each(Box::new(user())).seal(given("pass_word", "hunter2".into()).into());
        assert_eq!(sealed, given("pass_word", secret("hunter2")).into());
        let sealed = Secrecy::Each(Box::new(user())).seal(given("pass-word", "hunter2".into()).into());
        assert_eq!(sealed, given("pass-word", secret("hunter2")).into());
        let sealed = Secrecy::Values(Box::new(Secrecy::Secret)).seal(Value::structure([("a", Value::from("x"))]));
        assert_eq!(sealed, Value::structure([("a", secret("x"))]));
        let pair = Secrecy::Items(vec![Secrecy::Open, Secrecy::Secret]);
        assert_eq!(pair.seal(vec!["a", "b"].into()), vec!["a".into(), secret("b")].into());
        assert_eq!(Secrecy::Secret.seal(Value::structure([("secret", Value::from("x"))])), secret("x"));
        assert_eq!((Secrecy::Secret.seal(Value::Nil), Secrecy::Open.seal("x".into())), (Value::Nil, "x".into()));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_sealed_too() {
        let pair = Secrecy::Items(vec![Secrecy::Open, Secrecy::Secret]);
        for (kind, value) in [
            (user(), "hunter2".into()),
            (user(), Value::structure([("pasword", Value::from("hunter2"))])),
            (user(), vec!["hunter2"].into()),
            (Secrecy::Secret, vec!["hunter2"].into()),
            (Secrecy::Secret, Value::structure([("value", Value::from("hunter2"))])),
            (Secrecy::Each(Box::new(Secrecy::Secret)), Value::structure([("a", Value::from("hunter2"))])),
            (pair, vec!["a", "b", "hunter2"].into()),
        ] {
            assert!(!format!("{:?}", kind.seal(value)).contains("hunter2"), "{kind:?}");
        }
        assert!(!format!("{:?}", Secrecy::Secret.seal(1234.into())).contains("1234"));
    }

    #[test]
    fn it_travels_in_a_description() {
        let kind = Secrecy::Each(Box::new(user()));
        let value = Value::from_json(&serde_json::to_value(&kind).unwrap());
        assert_eq!(serde_json::from_value::<Secrecy>(value.to_json()).unwrap(), kind);
    }
}
