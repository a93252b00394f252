//! Conditions on the facts of a host, as they travel and as people write them.
//!
//! On the wire a call has one as its first argument: `{"__fact__": ["AND", ["os_id", "debian", "cpus__gte", 4]]}`. What
//! follows `AND`, `OR` or `NOT` is a list of keys and values, and of further such lists; of a `NOT` all must hold for it to
//! fail. A key is a fact and, behind `__`, an operator; none means equality.
//!
//! People write `os_id=debian`, `os_id:deb*`, `cpus>=4`.

mod condition;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

pub use condition::Condition;

use super::Value;

/// The member by which such an argument is known.
const MARK: &str = "__fact__";

/// Nobody nests deeper by hand.
const DEEPEST: usize = 30;

/// The facts of a host, by name.
pub type Facts = BTreeMap<String, Value>;

/// A condition on the facts of a host.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// One fact.
    Fact(Condition),
    /// All of them.
    All(Vec<Self>),
    /// Any of them.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
}

/// Why something is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidQuery(String);

impl Query {
    /// The condition that a first argument is, if it is one.
    pub fn of_argument(argument: &Value) -> Option<Result<Self, InvalidQuery>> {
        let Value::Struct(members) = argument else { return None };
        let query = members.get(MARK).filter(|_| members.len() == 1)?;
        Some(read(query, 0))
    }

    /// As a first argument.
    pub fn to_argument(&self) -> Value {
        Value::structure([(MARK, self.to_list())])
    }

    fn to_list(&self) -> Value {
        let list = |word: &str, parts: &[Self]| {
            let mut inside = Vec::new();
            for part in parts {
                match part {
                    Self::Fact(condition) => inside.extend(condition.to_pair()),
                    other => inside.push(other.to_list()),
                }
            }
            Value::Array(vec![word.into(), Value::Array(inside)])
        };
        match self {
            Self::Fact(_) => list("AND", std::slice::from_ref(self)),
            Self::All(parts) => list("AND", parts),
            Self::Any(parts) => list("OR", parts),
            Self::Not(part) => list("NOT", std::slice::from_ref(part)),
        }
    }

    /// Whether a host with these facts meets it.
    pub fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Fact(condition) => condition.holds(facts),
            Self::All(parts) => parts.iter().all(|part| part.holds(facts)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(facts)),
            Self::Not(part) => !part.holds(facts),
        }
    }

    /// The names of the facts that it asks for, each once.
    pub fn facts(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The facts because of which a host does not meet it, or, if it does, because of which it does.
    pub fn deciding(&self, facts: &Facts) -> Vec<&str> {
        let mut names = match self {
            Self::Fact(condition) => vec![&*condition.fact],
            Self::Not(part) => part.deciding(facts),
            Self::All(parts) | Self::Any(parts) => {
                let verdict = self.holds(facts);
                parts.iter().filter(|part| part.holds(facts) == verdict).flat_map(|part| part.deciding(facts)).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Fact(condition) => names.push(&condition.fact),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect(names)),
            Self::Not(part) => part.collect(names),
        }
    }
}

/// Reads `[connector, [key, value, …]]`.
fn read(value: &Value, depth: usize) -> Result<Query, InvalidQuery> {
    let wrong = |why: &str| InvalidQuery(format!("a condition on facts is `[connector, [key, value, …]]`: {why}"));
    if depth > DEEPEST {
        return Err(wrong("it is nested too deep"));
    }
    let Value::Array(pair) = value else { return Err(wrong("it is no list")) };
    let [Value::String(connector), Value::Array(inside)] = &pair[..] else { return Err(wrong("it is no such pair")) };
    let mut parts = Vec::new();
    let mut rest = inside.iter();
    while let Some(item) = rest.next() {
        parts.push(match item {
            Value::String(key) => {
                let value = rest.next().ok_or_else(|| wrong("its last key has no value"))?;
                Query::Fact(Condition::of_pair(key, value)?)
            }
            nested => read(nested, depth + 1)?,
        });
    }
    let all = |mut parts: Vec<Query>| if parts.len() == 1 { parts.remove(0) } else { Query::All(parts) };
    match connector.to_ascii_uppercase().as_str() {
        "AND" => Ok(all(parts)),
        "OR" if parts.len() == 1 => Ok(all(parts)),
        "OR" => Ok(Query::Any(parts)),
        "NOT" => Ok(Query::Not(Box::new(all(parts)))),
        _ => Err(wrong("the connector is `AND`, `OR` or `NOT`")),
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Self], by: &str| {
            let parts: Vec<String> = parts.iter().map(Self::operand).collect();
            parts.join(by)
        };
        match self {
            Self::Fact(condition) => condition.fmt(f),
            Self::All(parts) => f.write_str(&joined(parts, " and ")),
            Self::Any(parts) => f.write_str(&joined(parts, " or ")),
            Self::Not(part) => write!(f, "not {}", part.operand()),
        }
    }
}

impl Query {
    fn operand(&self) -> String {
        match self {
            Self::All(_) | Self::Any(_) => format!("({self})"),
            _ => self.to_string(),
        }
    }
}
