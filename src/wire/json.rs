//! The JSON form of values, for programs and for arguments on a command line.
//!
//! | value | JSON |
//! | --- | --- |
//! | nil, boolean, string, array, struct | `null`, boolean, string, array, object |
//! | integer, double | number; a double that is not finite: `{"$double": "inf"}` |
//! | base64 | `{"$base64": "aGVsbG8="}` |
//! | date | `{"$date": "2026-07-11T22:19:00"}` |
//! | secret | `"[secret]"`, from which it does not come back; it is read from `{"$secret": "…"}` |
//!
//! A key of a struct that begins with `$` is written with a second one, so that every value comes
//! back as it was.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value as Json};

use super::{SECRET, Secret, Value};

const BASE64: &str = "$base64";
const DATE: &str = "$date";
const DOUBLE: &str = "$double";
const HIDDEN: &str = "$secret";

impl Value {
    /// This value as JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Nil => Json::Null,
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Int(number) => Json::from(*number),
            Self::Double(number) => match Number::from_f64(*number) {
                Some(number) => Json::Number(number),
                None => tagged(DOUBLE, number.to_string()),
            },
            Self::String(text) => Json::from(text.as_str()),
            Self::Bytes(bytes) => tagged(BASE64, STANDARD.encode(bytes)),
            Self::DateTime(time) => tagged(DATE, time.to_string()),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Struct(members) => {
                let key = |key: &str| if key.starts_with('$') { format!("${key}") } else { key.to_owned() };
                Json::Object(members.iter().map(|(name, value)| (key(name), value.to_json())).collect())
            }
            Self::Secret(_) => Json::from(SECRET),
        }
    }

    /// The value that `json` stands for.
    ///
    /// A whole number beyond 64 bits with sign becomes a double. An object that looks like one of the
    /// tagged forms but does not hold what it promises stays a struct.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(double)) => Self::Double(double),
                (None, None) => Self::String(number.to_string()),
            },
            Json::String(text) => Self::String(text.clone()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => untagged(members).unwrap_or_else(|| {
                let key = |key: &str| if key.starts_with("$$") { key[1..].to_owned() } else { key.to_owned() };
                Self::structure(members.iter().map(|(name, value)| (key(name), Self::from_json(value))))
            }),
        }
    }
}

fn tagged(tag: &str, text: String) -> Json {
    Json::Object(Map::from_iter([(tag.to_owned(), Json::String(text))]))
}

fn untagged(members: &Map<String, Json>) -> Option<Value> {
    let (tag, Json::String(text)) = members.iter().next()? else { return None };
    if members.len() != 1 {
        return None;
    }
    match tag.as_str() {
        BASE64 => STANDARD.decode(text).ok().map(Value::Bytes),
        HIDDEN => Some(Value::Secret(Secret::new(text.as_str()))),
        DATE => text.parse().ok().map(Value::DateTime),
        DOUBLE => text.parse().ok().map(Value::Double),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_forms_are_those_of_the_table() {
        let value = Value::structure([
            ("bytes", Value::Bytes(b"hello".to_vec())),
            ("when", Value::DateTime(jiff::civil::datetime(2026, 7, 11, 22, 19, 0, 0))),
            ("far", Value::Double(f64::INFINITY)),
            ("whole", Value::Double(3.0)),
            ("$base64", "not bytes".into()),
        ]);
        let json = json!({
            "bytes": {"$base64": "aGVsbG8="},
            "when": {"$date": "2026-07-11T22:19:00"},
            "far": {"$double": "inf"},
            "whole": 3.0,
            "$$base64": "not bytes",
        });
        assert_eq!(value.to_json(), json);
        assert_eq!(Value::from_json(&json), value);
    }

    #[test]
    fn what_only_looks_tagged_stays_a_struct() {
        let secret = Value::from_json(&json!({"$secret": "hunter2"}));
        assert_eq!((&secret, secret.to_json()), (&Value::Secret(Secret::new("hunter2")), json!("[secret]")));
        let json = json!({"$date": "yesterday"});
        assert_eq!(Value::from_json(&json), Value::structure([("$date", Value::from("yesterday"))]));
        assert_eq!(Value::from_json(&json!(u64::MAX)), Value::Double(18_446_744_073_709_551_615.0));
    }
}
