//! The values that travel, and their JSON form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Secret, nesting};

/// An XML-RPC value (<http://xmlrpc.com/spec.md>, with the `nil` and `i8` extensions).
///
/// `<int>`, `<i4>` and `<i8>` are one kind here: an integer is written as `<int>` when 32 bits hold
/// it and as `<i8>` otherwise. Structs are ordered by key, so that equal values have equal text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `<nil/>`
    Nil,
    /// `<boolean>`
    Bool(bool),
    /// `<int>`, `<i4>`, `<i8>`
    Int(i64),
    /// `<double>`
    Double(f64),
    /// `<string>`
    String(String),
    /// `<base64>`
    Bytes(Vec<u8>),
    /// `<dateTime.iso8601>`: a date and a time without a zone, which this project takes as UTC.
    DateTime(jiff::civil::DateTime),
    /// `<array>`
    Array(#[serde(deserialize_with = "nesting::bounded")] Vec<Value>),
    /// `<struct>`
    Struct(#[serde(deserialize_with = "nesting::bounded")] BTreeMap<String, Value>),
    /// A `<string>` that is not written down: see [`Secret`].
    Secret(Secret),
}

impl Value {
    /// A struct of the given members.
    pub fn structure<K: Into<String>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Struct(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in the words of the specification.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "base64",
            Self::DateTime(_) => "date",
            Self::Array(_) => "array",
            Self::Struct(_) => "struct",
            Self::Secret(_) => "secret",
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}
