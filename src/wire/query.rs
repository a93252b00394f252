//! Conditions on the facts of a host, as they travel and as people write them.
//!
//! On the wire a call has one as its first argument: `{"__fact__": ["AND", ["os_id", "debian", "cpus__gte", 4]]}`. What
//! follows `AND`, `OR` or `NOT` is a list of keys and values, and of further such lists; of a `NOT` all must hold for it to
//! fail. A key is a fact and, behind `__`, an operator; none means equality.
//!
//! People write `os_id=debian`, `os_id:deb*`, `cpus>=4`.

use std::{cmp::Ordering, collections::BTreeMap, fmt, str::FromStr};

use globset::GlobBuilder;

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

/// A condition on one fact. A host that does not have the fact does not meet it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    fact: String,
    operator: Operator,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    IgnoringCase,
    Glob,
    Contains,
    ContainsIgnoringCase,
    StartsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Each operator's word on the wire.
const WORDS: [(&str, Operator); 9] = [
    ("iexact", Operator::IgnoringCase),
    ("glob", Operator::Glob),
    ("contains", Operator::Contains),
    ("icontains", Operator::ContainsIgnoringCase),
    ("startswith", Operator::StartsWith),
    ("gt", Operator::Greater),
    ("gte", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("lte", Operator::LessOrEqual),
];

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

impl Condition {
    fn of_pair(key: &str, value: &Value) -> Result<Self, InvalidQuery> {
        let found =
            WORDS.iter().find_map(|(word, operator)| Some((key.strip_suffix(word)?.strip_suffix("__")?, *operator)));
        let (fact, operator) = found.unwrap_or((key, Operator::Equal));
        if let Some((_, word)) = fact.rsplit_once("__") {
            return Err(InvalidQuery(format!("`{}` is no operator on facts", word.escape_debug())));
        }
        Self { fact: fact.to_owned(), operator, value: value.clone() }.checked()
    }

    fn to_pair(&self) -> [Value; 2] {
        let word = WORDS.iter().find(|(_, operator)| *operator == self.operator).map(|(word, _)| *word);
        let key = word.map_or_else(|| self.fact.clone(), |word| format!("{}__{word}", self.fact));
        [key.into(), self.value.clone()]
    }

    /// Names are those of `wit/facts.wit`; dots and dashes are read, too.
    fn checked(self) -> Result<Self, InvalidQuery> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if self.fact.is_empty() || self.fact.len() > 100 || !self.fact.bytes().all(plain) {
            return Err(InvalidQuery("a fact's name has letters, digits and `_`".into()));
        }
        if self.operator == Operator::Glob && glob(&text(&self.value)).is_none() {
            return Err(InvalidQuery(format!("`{}` is not a glob", text(&self.value).escape_debug())));
        }
        Ok(self)
    }

    /// Of a fact that has several values, one is enough.
    fn holds(&self, facts: &Facts) -> bool {
        match facts.get(&self.fact) {
            None | Some(Value::Nil) => false,
            Some(Value::Array(items)) => items.iter().any(|item| self.compare(item)),
            Some(fact) => self.compare(fact),
        }
    }

    fn compare(&self, fact: &Value) -> bool {
        let (has, wanted) = (text(fact), text(&self.value));
        let lower = |text: &str| text.to_lowercase();
        let order = || match (number(fact), number(&self.value)) {
            (Some(has), Some(wanted)) => has.partial_cmp(&wanted),
            _ => Some(has.cmp(&wanted)),
        };
        match self.operator {
            Operator::Equal => has == wanted || order() == Some(Ordering::Equal),
            Operator::IgnoringCase => lower(&has) == lower(&wanted) || order() == Some(Ordering::Equal),
            Operator::Glob => glob(&wanted).is_some_and(|glob| glob.is_match(&has)),
            Operator::Contains => has.contains(&wanted),
            Operator::ContainsIgnoringCase => lower(&has).contains(&lower(&wanted)),
            Operator::StartsWith => has.starts_with(&wanted),
            Operator::Greater => order() == Some(Ordering::Greater),
            Operator::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
            Operator::Less => order() == Some(Ordering::Less),
            Operator::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

fn glob(text: &str) -> Option<globset::GlobMatcher> {
    let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(false).case_insensitive(true).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_json().to_string().trim_matches('"').to_owned(),
    }
}

/// Numbers in texts count: command lines have nothing else.
fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "facts are compared, not counted")]
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// As people write it; longer operators first.
const SIGNS: [(&str, Operator); 8] = [
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("^=", Operator::StartsWith),
    ("~=", Operator::ContainsIgnoringCase),
    ("=", Operator::Glob),
    (":", Operator::Glob),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

impl Condition {
    /// Whether text is meant as a condition: no host name has such signs.
    pub fn is_meant(text: &str) -> bool {
        !text.starts_with('@') && text.contains(['=', ':', '<', '>'])
    }
}

impl FromStr for Condition {
    type Err = InvalidQuery;

    fn from_str(written: &str) -> Result<Self, InvalidQuery> {
        let at = |sign: &&str| written.find(*sign);
        let found = SIGNS.iter().filter_map(|(sign, operator)| Some((at(sign)?, *sign, *operator)));
        // The first sign in the text; of two at one place, the longer.
        let (at, sign, operator) = found
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
            .ok_or_else(|| InvalidQuery("a condition on a fact is written like `os_id=debian` or `cpus>=4`".into()))?;
        let (fact, value) = (&written[..at], &written[at + sign.len()..]);
        if value.is_empty() {
            return Err(InvalidQuery(format!("there is nothing behind `{sign}`")));
        }
        let operator = match operator {
            Operator::Glob if !value.contains(['*', '?', '[', '{']) => Operator::IgnoringCase,
            operator => operator,
        };
        Self { fact: fact.to_owned(), operator, value: value.into() }.checked()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.iter().find(|(_, operator)| *operator == self.operator).map_or("=", |(sign, _)| sign);
        write!(f, "{}{sign}{}", self.fact, text(&self.value))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let pairs = [
            ("os_id", Value::from("debian")),
            ("cpus", Value::Int(8)),
            ("addresses", Value::from(vec!["10.0.0.7", "192.168.1.1"])),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    #[test]
    fn what_people_write_holds_or_not() {
        for (text, expected) in [
            ("os_id=debian", true),
            ("os_id=Debian", true),
            ("os_id:deb*", true),
            ("os_id=deb", false),
            ("os_id^=deb", true),
            ("os_id~=BIA", true),
            ("cpus=8", true),
            ("cpus=8.0", true),
            ("cpus>=8", true),
            ("cpus>10", false),
            ("cpus<10", true),
            ("cpus<=7", false),
            ("addresses=10.*", true),
            ("addresses=10.0.0.8", false),
            ("rack:7", false),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(Query::Fact(condition.clone()).holds(&facts()), expected, "{text}");
            assert_eq!(condition.to_string().parse::<Condition>().unwrap(), condition, "{text}");
        }
        for text in ["=x", "a=", "a", "a b=c", "os=[x"] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_form_on_the_wire_is_read_with_every_operator_and_connector() {
        let read = |json: serde_json::Value| {
            Query::of_argument(&Value::from_json(&serde_json::json!({ "__fact__": json }))).unwrap()
        };
        for (json, expected) in [
            (serde_json::json!(["AND", ["os_id", "debian", "cpus__gte", 4]]), true),
            (serde_json::json!(["AND", ["os_id", "Debian"]]), false),
            (serde_json::json!(["AND", ["os_id__iexact", "Debian"]]), true),
            (serde_json::json!(["OR", ["os_id", "x", "cpus__lt", 9]]), true),
            (serde_json::json!(["NOT", ["os_id__startswith", "deb"]]), false),
            (serde_json::json!(["NOT", ["os_id__contains", "x"]]), true),
            (
                serde_json::json!([
                    "AND",
                    [["NOT", ["rack", "7"]], ["OR", ["os_id__icontains", "BI", "cpus__gt", 99]]]
                ]),
                true,
            ),
        ] {
            let query = read(json.clone()).unwrap();
            assert_eq!(query.holds(&facts()), expected, "{json}");
            assert_eq!(Query::of_argument(&query.to_argument()).unwrap().unwrap(), query, "{json}");
        }
        for json in [
            serde_json::json!("x"),
            serde_json::json!(["AND"]),
            serde_json::json!(["XOR", []]),
            serde_json::json!(["AND", ["a"]]),
            serde_json::json!(["AND", ["a__near", 1]]),
        ] {
            assert!(read(json.clone()).is_err(), "{json}");
        }
        let mut deep = serde_json::json!(["AND", []]);
        for _ in 0..40 {
            deep = serde_json::json!(["AND", [deep]]);
        }
        assert!(read(deep).is_err());
        assert!(Query::of_argument(&Value::structure([("__fact__", Value::Nil), ("x", Value::Nil)])).is_none());
        assert!(Query::of_argument(&Value::Nil).is_none());
    }

    #[test]
    fn the_facts_that_decide_are_named() {
        let fact = |text: &str| Query::Fact(text.parse().unwrap());
        let not = |query| Query::Not(Box::new(query));
        for (query, expected) in [
            (Query::All(vec![fact("os_id=debian"), fact("cpus>10"), fact("rack:7")]), &["cpus", "rack"][..]),
            (Query::Any(vec![fact("cpus>10"), fact("os_id=x")]), &["cpus", "os_id"]),
            (not(Query::Any(vec![fact("rack:7"), fact("os_id=debian")])), &["os_id"]),
            (Query::All(vec![not(fact("cpus=8")), fact("os_id=debian")]), &["cpus"]),
        ] {
            assert!(!query.holds(&facts()));
            assert_eq!(query.deciding(&facts()), expected, "{query}");
        }
    }

    #[test]
    fn the_facts_that_are_asked_for_are_named() {
        let query: Query = Query::All(vec![
            Query::Fact("b=1".parse().unwrap()),
            Query::Not(Box::new(Query::Any(vec![
                Query::Fact("a=1".parse().unwrap()),
                Query::Fact("b=2".parse().unwrap()),
            ]))),
        ]);
        assert_eq!(query.facts(), ["a", "b"]);
        assert_eq!(query.to_string(), "b=1 and not (a=1 or b=2)");
    }
}
