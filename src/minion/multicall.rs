//! `system.multicall`: many calls in one request, one after the other.

use std::time::Instant;

use super::{
    backend::Backend,
    builtin::Builtin,
    caller::{Caller, Extras},
    dispatch::Dispatcher,
};
use crate::wire::{Answer, Call, Fault, RemoteError, Value};

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
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        let answer = match read(call) {
            // The future is boxed because it holds itself: a call in here is a call like any other.
            Ok(call) if Instant::now() >= ends => Answer::Value(out_of_time(&call).into()),
            Ok(call) => {
                // A job id belongs to one call, so the calls in here get fresh ones. A job's time is its own.
                let left = ends.saturating_duration_since(Instant::now());
                let timeout = if call.method.starts_with("async.") { extras.timeout } else { Some(left) };
                let extras = Extras { job_id: None, timeout, overlord_job: extras.overlord_job.clone() };
                Box::pin(dispatcher.run(caller, &extras, call)).await.into_answer()
            }
            Err(why) => Answer::Fault(Fault::refused(why)),
        };
        answers.push(match answer {
            Answer::Value(value) => Value::Array(vec![value]),
            Answer::Fault(fault) => {
                Value::structure([("faultCode", Value::Int(fault.code.into())), ("faultString", fault.message.into())])
            }
        });
    }
    Ok(Value::Array(answers))
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

    #[test]
    fn only_whole_calls_are_read_and_none_that_nests() {
        let call = |name: &str, params: Value| Value::structure([("methodName", name.into()), ("params", params)]);
        assert_eq!(read(call("a.b", Value::Array(vec![1.into()]))), Ok(Call::new("a.b", vec![1.into()])));
        for wrong in [call("system.multicall", Value::Array(vec![])), call("a.b", Value::Nil), Value::Nil] {
            assert!(read(wrong).is_err());
        }
    }
}
