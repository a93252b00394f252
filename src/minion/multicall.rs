//! `system.multicall`: many calls in one request, one after the other.

use std::time::Instant;

use super::{
    backend::Backend,
    builtin::Builtin,
    caller::{Caller, Extras},
    dispatch::Dispatcher,
};
use crate::wire::{Answer, Call, Fault, RemoteError, Room, Value};

/// How many calls one request may hold.
const MOST: usize = 1000;

pub(super) async fn run<B: Backend>(
    dispatcher: &Dispatcher<B>,
    caller: &Caller,
    extras: &Extras,
    builtin: &Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let [calls] = builtin.args(params)?;
    let Value::Array(calls) = calls else { return Err(builtin.wrong(0, &calls)) };
    if calls.len() > MOST {
        return Err(RemoteError::new(
            "InvalidArguments",
            format!("{} calls in one request; {MOST} are allowed", calls.len()),
        ));
    }
    // All of them share the time of one call.
    let ends = Instant::now() + extras.timeout.map_or(dispatcher.call_time, |asked| asked.min(dispatcher.call_time));
    let mut answers = Answers::for_calls(calls.len());
    for call in calls {
        let answer = match read(call) {
            // The future is boxed because it holds itself: a call in here is a call like any other.
            Ok(call) if Instant::now() >= ends => Answer::Value(out_of_time(&call).into()),
            Ok(call) => {
                // A job id belongs to one call, so the calls in here get fresh ones. A job's time is its own.
                let left = ends.saturating_duration_since(Instant::now());
                let timeout = if call.method.starts_with("async.") { extras.timeout } else { Some(left) };
                let overlord_job = extras.overlord_job.clone();
                let on_behalf_of = extras.on_behalf_of.clone();
                let extras = Extras { overlord_job, timeout, on_behalf_of, ..Extras::default() };
                Box::pin(dispatcher.run(caller, &extras, call)).await.into_answer()
            }
            Err(why) => Answer::Fault(Fault::refused(why)),
        };
        answers.push(answer);
    }
    Ok(Value::Array(answers.list))
}

/// What the audit log says of the calls: their methods.
pub(super) fn names(params: &[Value]) -> Vec<Value> {
    let Some(Value::Array(calls)) = params.first() else { return Vec::new() };
    let name = |call: &Value| match call {
        Value::Struct(members) => members.get("methodName").and_then(Value::as_str).map(Value::from),
        _ => None,
    };
    vec![Value::Array(calls.iter().map(|call| name(call).unwrap_or(Value::Nil)).collect())]
}

/// What the calls answered so far, never more than one answer can hold.
struct Answers {
    list: Vec<Value>,
    room: Room,
}

impl Answers {
    fn for_calls(count: usize) -> Self {
        let mut room = Room::answer();
        room.keep_for_errors(count);
        Self { list: Vec::with_capacity(count), room }
    }

    /// Adds one. A result for which there is no room gives way to an error, and the others stay.
    fn push(&mut self, answer: Answer) {
        self.list.push(match answer {
            Answer::Value(value) => Value::Array(vec![match self.room.take(2, &value) {
                Ok(()) => value,
                Err(why) => RemoteError::from(why).into(),
            }]),
            Answer::Fault(fault) => {
                Value::structure([("faultCode", Value::Int(fault.code.into())), ("faultString", fault.message.into())])
            }
        });
    }
}

fn out_of_time(call: &Call) -> RemoteError {
    let method: String = call.method.chars().take(200).collect();
    RemoteError::new("TimedOut", format!("`{method}` was not called: the calls before it took all the time"))
}

fn read(call: Value) -> Result<Call, &'static str> {
    const WANTED: &str = "a call is a struct of methodName, a string, and params, an array";
    let Value::Struct(mut members) = call else { return Err(WANTED) };
    match (members.remove("methodName"), members.remove("params"), members.is_empty()) {
        (Some(Value::String(method)), Some(Value::Array(_)), true) if method == "system.multicall" => {
            Err("system.multicall cannot call itself")
        }
        (Some(Value::String(method)), Some(Value::Array(params)), true) => Ok(Call { method, params }),
        _ => Err(WANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{MAX_DEPTH, MAX_VALUES};

    #[test]
    fn a_result_without_room_is_an_error_of_its_own_call_alone() {
        let nest = |levels| (1..levels).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
        let deep = |levels| vec![(nest(levels), levels + 2 > MAX_DEPTH), (1.into(), false)];
        let half = || Value::Bytes(vec![0; 26 << 20]);
        let long = vec![(half(), false), (half(), true), ("small".into(), false)];
        let many = || Value::Array(vec![Value::Nil; MAX_VALUES / 2]);
        let numerous = vec![(many(), false), (many(), true), (1.into(), false)];
        for results in [deep(MAX_DEPTH - 2), deep(MAX_DEPTH - 1), long, numerous] {
            let mut answers = Answers::for_calls(MOST);
            for (result, _) in &results {
                answers.push(Answer::Value(result.clone()));
            }
            assert_eq!(answers.list.len(), results.len());
            for (one, (result, refused)) in answers.list.iter().zip(results) {
                let Value::Array(one) = one else { panic!("{:?}", one.kind()) };
                match RemoteError::from_value(&one[0]) {
                    Some(error) => assert!(refused && error.kind == "ResultTooLarge", "{error}"),
                    None => assert!(!refused && one[0] == result),
                }
            }
            assert_eq!(Room::answer().take(0, &Value::Array(answers.list)), Ok(()));
        }
    }

    #[test]
    fn there_is_room_to_say_of_every_call_why_its_result_is_missing() {
        let mut answers = Answers::for_calls(MOST);
        while answers.list.len() < MOST {
            answers.push(Answer::Value(Value::Bytes(vec![0; 1 << 20])));
        }
        let fits = |one: &&Value| matches!(one, Value::Array(one) if matches!(one[..], [Value::Bytes(_)]));
        assert!((40..50).contains(&answers.list.iter().filter(fits).count()));
        assert_eq!(Room::answer().take(0, &Value::Array(answers.list)), Ok(()));
    }

    #[test]
    fn only_whole_calls_are_read_and_none_that_nests() {
        let call = |name: &str, params: Value| Value::structure([("methodName", name.into()), ("params", params)]);
        assert_eq!(read(call("a.b", Value::Array(vec![1.into()]))), Ok(Call::new("a.b", vec![1.into()])));
        for wrong in [call("system.multicall", Value::Array(vec![])), call("a.b", Value::Nil), Value::Nil] {
            assert!(read(wrong).is_err());
        }
    }
}
