//! What this machine is, as its modules tell it, and calls that are only for machines of some kind.
//!
//! A call's first argument may be a condition on facts (`wire::Query`). It is taken off before anything else looks at the
//! arguments. Where it holds, the answer is `[{"__fact__": [true, facts]}, result]`; where not, nothing is called and it is
//! `[{"__fact__": [false, facts]}]`, with the facts that were asked for. Only who may call `system.facts` may have one, so that
//! it tells nobody what they may not ask. A repeated submission of a job is not asked again.

use std::time::Duration;

use crate::{
    plugin::CallError,
    wire::{Facts, InvalidQuery, Query, RemoteError, Value},
};

/// No machine takes longer to tell what it is.
pub(super) const LONGEST: Duration = Duration::from_secs(20);

/// Takes the condition off the arguments of a call.
pub(super) fn take_query(params: &mut Vec<Value>) -> Result<Option<Query>, RemoteError> {
    let Some(query) = params.first().and_then(Query::of_argument) else { return Ok(None) };
    let query = query.map_err(|error: InvalidQuery| RemoteError::new("InvalidArguments", error.to_string()))?;
    params.remove(0);
    Ok(Some(query))
}

/// The answer to a call with a condition; without a result if it does not hold.
pub(super) fn wrap(holds: bool, facts: Facts, result: Option<Value>) -> Value {
    let told = Value::Array(vec![Value::Bool(holds), Value::Struct(facts)]);
    let head = Value::structure([("__fact__", told)]);
    Value::Array(std::iter::once(head).chain(result).collect())
}

/// Reads what `minion:host/facts.collect` answers; of what makes no sense nothing.
pub(super) fn read(answer: Result<Value, CallError>) -> Facts {
    let Ok(Value::Array(facts)) = answer else { return Facts::new() };
    let one = |fact: Value| {
        let Value::Struct(mut fact) = fact else { return None };
        let Value::String(name) = fact.remove("name")? else { return None };
        // A variant is a struct of one member.
        let Value::Struct(value) = fact.remove("value")? else { return None };
        Some((name, value.into_values().next()?))
    };
    facts.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_taken_off_and_nothing_else() {
        let query: Query = Query::Fact("cpus>2".parse().unwrap());
        let mut params = vec![query.to_argument(), 1.into()];
        assert_eq!(take_query(&mut params).unwrap(), Some(query.clone()));
        assert_eq!(params, [1.into()]);
        assert_eq!(take_query(&mut params).unwrap(), None);
        let mut wrong = vec![Value::structure([("__fact__", Value::Nil)])];
        assert_eq!(take_query(&mut wrong).unwrap_err().kind, "InvalidArguments");
        let mut later = vec![1.into(), query.to_argument()];
        assert_eq!((take_query(&mut later).unwrap(), later.len()), (None, 2));
    }

    #[test]
    fn what_modules_tell_is_read_as_plain_values() {
        let fact = |name: &str, kind: &str, value: Value| {
            Value::structure([("name", Value::from(name)), ("value", Value::structure([(kind, value)]))])
        };
        let told = Value::Array(vec![fact("cpus", "int", 8.into()), fact("os", "text", "x".into()), Value::Nil]);
        let facts = read(Ok(told));
        assert_eq!((facts.len(), &facts["cpus"], &facts["os"]), (2, &Value::Int(8), &"x".into()));
    }
}
