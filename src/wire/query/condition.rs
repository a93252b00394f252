//! A condition on one fact: its operator as a word on the wire and as a sign that people write.

use std::{cmp::Ordering, fmt, str::FromStr};

use globset::GlobBuilder;

use super::{Facts, InvalidQuery};
use crate::wire::Value;

/// A condition on one fact. A host that does not have the fact does not meet it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub(super) fact: String,
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

impl Condition {
    pub(super) fn of_pair(key: &str, value: &Value) -> Result<Self, InvalidQuery> {
        let found =
            WORDS.iter().find_map(|(word, operator)| Some((key.strip_suffix(word)?.strip_suffix("__")?, *operator)));
        let (fact, operator) = found.unwrap_or((key, Operator::Equal));
        if let Some((_, word)) = fact.rsplit_once("__") {
            return Err(InvalidQuery(format!("`{}` is no operator on facts", word.escape_debug())));
        }
        Self { fact: fact.to_owned(), operator, value: value.clone() }.checked()
    }

    pub(super) fn to_pair(&self) -> [Value; 2] {
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
    pub(super) fn holds(&self, facts: &Facts) -> bool {
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
