//! A condition on facts that each host judges for itself before a method runs there.
//!
//! It is written as a target is, of facts alone: `os_id=debian and not rack:7`; commas are `and`, too.

use std::str::FromStr;

use super::{InvalidTarget, Outcome, SkipReason, Target, target::Choice};
use crate::wire::{Facts, Query, Value};

/// Whom a call is for, by what hosts know of themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Query);

/// Why text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFilter {
    /// It is not written as it should be.
    #[error(transparent)]
    Form(#[from] InvalidTarget),
    /// It speaks of names or groups.
    #[error("`{0}` is no condition on a fact; write it like `os_id=debian`, and name hosts in the target")]
    NotAFact(String),
}

impl Filter {
    /// What meets all of the first and, if there are some, any of the second.
    pub fn of(all: &[Self], any: &[Self]) -> Option<Self> {
        let queries = |filters: &[Self]| filters.iter().map(|filter| filter.0.clone()).collect::<Vec<_>>();
        let mut parts = queries(all);
        match any {
            [] => {}
            [one] => parts.push(one.0.clone()),
            some => parts.push(Query::Any(queries(some))),
        }
        match parts.len() {
            0 => None,
            1 => Some(Self(parts.remove(0))),
            _ => Some(Self(Query::All(parts))),
        }
    }

    /// As a call's first argument.
    pub fn to_argument(&self) -> Value {
        self.0.to_argument()
    }

    /// Why a host that told these facts is not meant. It may have told anything.
    fn reason(&self, facts: &Facts) -> SkipReason {
        const MOST: usize = 5;
        let one = |name: &str| {
            let shown = |value: &Value| match value {
                Value::String(text) => text.escape_debug().to_string(),
                other => other.to_json().to_string(),
            };
            let value = facts.get(name).filter(|value| **value != Value::Nil).map(shown);
            value.map_or_else(
                || format!("{name} is not known there"),
                |value| format!("{name} is {}", value.chars().take(80).collect::<String>()),
            )
        };
        if self.0.holds(facts) {
            return SkipReason::Filter;
        }
        SkipReason::Facts(self.0.deciding(facts).into_iter().take(MOST).map(one).collect::<Vec<_>>().join(", "))
    }

    /// The filter that the first argument of a call is, if it is one.
    pub fn of_arguments(args: &[Value]) -> Option<Self> {
        args.first().and_then(Query::of_argument).and_then(Result::ok).map(Self)
    }
}

impl FromStr for Filter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty()).map(|part| {
            let target: Target = part.parse()?;
            let mut choices = target.parts().iter().map(query).collect::<Result<Vec<_>, _>>()?;
            Ok(Self(if choices.len() == 1 { choices.remove(0) } else { Query::Any(choices) }))
        });
        let parts = parts.collect::<Result<Vec<_>, InvalidFilter>>()?;
        Self::of(&parts, &[]).ok_or(InvalidFilter::Form(InvalidTarget::Empty))
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn query(choice: &Choice) -> Result<Query, InvalidFilter> {
    let all = |choices: &[Choice]| choices.iter().map(query).collect::<Result<Vec<_>, _>>();
    Ok(match choice {
        Choice::Fact(condition) => Query::Fact(condition.clone()),
        Choice::Not(choice) => Query::Not(Box::new(query(choice)?)),
        Choice::All(choices) => Query::All(all(choices)?),
        Choice::Any(choices) => Query::Any(all(choices)?),
        Choice::Word(_) | Choice::Group(..) => return Err(InvalidFilter::NotAFact(choice.to_string())),
    })
}

impl Outcome {
    /// What the answer to a call with a filter means: `[{"__fact__": [true, …]}, result]` is the result, and without one the
    /// host was not meant. Of a job that the minion knows already there is only the result.
    #[must_use]
    pub fn past_filter(self, filter: &Filter) -> Self {
        let Self::Ok(Value::Array(mut parts)) = self else { return self };
        let verdict = match parts.first() {
            Some(Value::Struct(head)) if head.len() == 1 => match head.get("__fact__") {
                Some(Value::Array(told)) => told.first().map(|holds| (holds.clone(), told.get(1).cloned())),
                _ => None,
            },
            _ => None,
        };
        match (verdict, parts.len()) {
            (Some((Value::Bool(true), _)), 2) => {
                Self::of_answer(crate::wire::Answer::Value(parts.remove(1)), std::time::Duration::ZERO)
            }
            (Some((Value::Bool(false), Some(Value::Struct(facts)))), 1) => Self::Skipped(filter.reason(&facts)),
            (Some((Value::Bool(false), _)), 1) => Self::Skipped(SkipReason::Filter),
            _ => Self::Ok(Value::Array(parts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_written_as_a_target_is_and_speaks_of_facts_alone() {
        for (text, shown) in [
            ("os_id=debian", "os_id=debian"),
            ("os_id=debian,cpus>4", "os_id=debian and cpus>4"),
            ("os_id=debian and not (rack:7 or rack:8)", "os_id=debian and not (rack=7 or rack=8)"),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap().to_string(), shown);
        }
        let refused = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
        assert!(refused("web1").contains("`web1` is no condition on a fact"));
        assert!(refused("@web and a=1").contains("`@web`"));
        assert!(refused("a= ").contains("nothing behind `=`") && refused(",").contains("empty"));
        let filter = |text: &str| text.parse::<Filter>().unwrap();
        let both = Filter::of(&[filter("a=1")], &[filter("b=1"), filter("c=1")]).unwrap();
        assert_eq!(both.to_string(), "a=1 and (b=1 or c=1)");
        assert_eq!(Filter::of_arguments(&[both.to_argument(), Value::Nil]), Some(both));
        assert_eq!(Filter::of(&[], &[]), None);
    }

    #[test]
    fn a_host_that_is_not_meant_is_skipped_and_the_others_answer() {
        let filter: Filter = "cpus>4,rack:7".parse().unwrap();
        let facts = Facts::from([("cpus".to_owned(), Value::Int(2)), ("rack".to_owned(), "7".into())]);
        let head = |holds: bool| {
            let told = Value::Array(vec![Value::Bool(holds), Value::Struct(facts.clone())]);
            Value::structure([("__fact__", told)])
        };
        let read = |parts: Vec<Value>| Outcome::Ok(Value::Array(parts)).past_filter(&filter);
        assert_eq!(read(vec![head(true), 7.into()]), Outcome::Ok(7.into()));
        assert_eq!(read(vec![head(false)]), Outcome::Skipped(SkipReason::Facts("cpus is 2".into())));
        assert_eq!(Outcome::Ok("id".into()).past_filter(&filter), Outcome::Ok("id".into()));
        assert_eq!(
            filter.reason(&Facts::new()),
            SkipReason::Facts("cpus is not known there, rack is not known there".into())
        );
        let odd = Facts::from([("cpus".to_owned(), "\u{1b}[2J".into()), ("rack".to_owned(), "7".into())]);
        assert_eq!(filter.reason(&odd), SkipReason::Facts("cpus is \\u{1b}[2J".into()));
        assert_eq!(Outcome::Cancelled.past_filter(&filter), Outcome::Cancelled);
    }
}
