//! A field of a value, named by its path: `os.version`.

use std::fmt;
use std::str::FromStr;

use crate::wire::Value;

/// The names that lead to a field, from the outside in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Field(String);

/// Text that names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a field is named by its path, like `os.version`")]
pub(in crate::cli) struct InvalidField;

impl FromStr for Field {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, InvalidField> {
        if text.is_empty() || text.split('.').any(str::is_empty) {
            Err(InvalidField)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field {
    /// As it was written.
    pub(in crate::cli) fn as_str(&self) -> &str {
        &self.0
    }

    /// The field of `value`. Of a list it is the list of its items' fields, each once.
    pub(in crate::cli) fn of(&self, value: &Value) -> Option<Value> {
        find(&self.0, value)
    }
}

fn find(path: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Struct(members) => {
            if let Some(member) = members.get(path) {
                return Some(member.clone());
            }
            // A key may have dots itself.
            let ends = path.match_indices('.').map(|(at, _)| at);
            ends.filter_map(|at| Some((members.get(&path[..at])?, &path[at + 1..])))
                .find_map(|(member, rest)| find(rest, member))
        }
        Value::Array(items) => {
            let mut found: Vec<Value> = Vec::new();
            for value in items.iter().filter_map(|item| find(path, item)) {
                if !found.contains(&value) {
                    found.push(value);
                }
            }
            (!found.is_empty()).then_some(Value::Array(found))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_structs_and_through_lists() {
        let os = Value::structure([("id", Value::from("debian")), ("a.b", Value::Int(1))]);
        let machine = Value::structure([("os", os.clone()), ("all", Value::Array(vec![os.clone(), os]))]);
        let of = |path: &str| path.parse::<Field>().unwrap().of(&machine);
        assert_eq!(of("os.id"), Some("debian".into()));
        assert_eq!(of("os.a.b"), Some(Value::Int(1)));
        assert_eq!(of("all.id"), Some(Value::Array(vec!["debian".into()])));
        assert_eq!((of("os.no"), of("os.id.no")), (None, None));
        assert!(["", ".", "a.", "a..b"].iter().all(|text| text.parse::<Field>().is_err()));
    }
}
