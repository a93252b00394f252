//! The overlord's own XML-RPC, so that a stock client drives a whole fleet: `overlord.call("*", "service", "status", ["sshd"])`.

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::{
    Daemon, answers,
    caller::{Caller, Deed},
    problem::Problem,
};
use crate::wire::{self, Answer, Fault, Value};

const METHODS: [&str; 9] = [
    "overlord.call",
    "overlord.cancel",
    "overlord.hosts",
    "overlord.jobs",
    "overlord.resume",
    "overlord.retry",
    "overlord.status",
    "overlord.submit",
    "system.listMethods",
];

/// The answer to a request, also to one that cannot be read.
pub(super) async fn answer(daemon: &Daemon, caller: &Caller, body: &[u8]) -> String {
    let answer = match wire::parse_call(body) {
        Ok(call) if let Err(problem) = caller.allow(deed(&call.method)) => Err(problem.text().to_owned()),
        Ok(call) => respond(daemon, caller, call).await.map_err(|problem| problem.text().to_owned()),
        Err(error) => Err(error.to_string()),
    };
    wire::encode_answer(&answer.map_or_else(|why| Answer::Fault(Fault::refused(why)), Answer::Value))
}

fn deed(method: &str) -> Deed {
    match method {
        "overlord.hosts" | "overlord.jobs" | "overlord.status" | "system.listMethods" => Deed::Looks,
        _ => Deed::Acts,
    }
}

async fn respond(daemon: &Daemon, caller: &Caller, call: wire::Call) -> Result<Value, Problem> {
    let json = match (call.method.as_str(), &call.params[..]) {
        ("overlord.call", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let mut answer = daemon.call(&request(call_members(target, module, method, rest)?)?).await?;
            answer["hosts"].take()
        }
        ("overlord.submit", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let submitted = daemon.submit(caller, &request(call_members(target, module, method, rest)?)?).await?;
            return Ok(Value::from(submitted.job.id.as_str()));
        }
        ("overlord.retry", [Value::String(id), options @ Value::Struct(_)]) => {
            let submitted =
                daemon.retry(caller, &answers::job(Some(id.clone()))?, &request(options.to_json())?).await?;
            return Ok(Value::from(submitted.job.id.as_str()));
        }
        ("overlord.resume", [Value::String(id), rest @ ..]) => {
            let options = options(rest)?;
            daemon.resume(caller, &answers::job(Some(id.clone()))?, &request(options)?).await?.to_json()
        }
        ("overlord.status", [Value::String(id)]) => {
            daemon.overlord.status(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.cancel", [Value::String(id)]) => {
            daemon.overlord.cancel(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.jobs", []) => daemon.jobs().await?["jobs"].take(),
        ("overlord.hosts", []) => daemon.hosts(caller, None)?["hosts"].take(),
        ("overlord.hosts", [Value::String(target)]) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("target", target).finish();
            daemon.hosts(caller, Some(&query))?["hosts"].take()
        }
        ("system.listMethods", []) => METHODS.into_iter().map(Json::from).collect(),
        (method, _) if METHODS.contains(&method) => {
            let usage = "overlord.call and .submit take a target, a module, a method, a list of arguments and a struct of \
                         options, of which the last two may be left out; .retry a job's id and options; .resume a job's id \
                         and, if it needs some, options; .status and .cancel a job's id; .hosts a target or nothing; the \
                         others nothing";
            return Err(Problem::bad(format!("`{method}` does not take these arguments: {usage}")));
        }
        (method, _) => {
            return Err(Problem::bad(format!("there is no method `{method}`; there are {}", METHODS.join(", "))));
        }
    };
    Ok(Value::from_json(&json))
}

/// The members of a call's body: the list of arguments, and the options, may be left out.
fn call_members(target: &str, module: &str, method: &str, rest: &[Value]) -> Result<Json, Problem> {
    let (args, rest) = match rest {
        [Value::Array(args), rest @ ..] => (args.iter().map(Value::to_json).collect(), rest),
        rest => (Vec::new(), rest),
    };
    let mut members = options(rest)?;
    let own = [("target", json!(target)), ("method", json!(format!("{module}.{method}"))), ("args", Json::from(args))];
    for (name, value) in own {
        if members.get(name).is_some() {
            return Err(Problem::bad(format!("`{name}` is an argument of its own, no option")));
        }
        members[name] = value;
    }
    Ok(members)
}

/// The struct of options, or none.
fn options(rest: &[Value]) -> Result<Json, Problem> {
    match rest {
        [] => Ok(json!({})),
        [options @ Value::Struct(_)] => Ok(options.to_json()),
        _ => Err(Problem::bad("the arguments of the method come in one list, then the options in a struct")),
    }
}

/// The body that these members are.
fn request<T: DeserializeOwned>(members: Json) -> Result<T, Problem> {
    serde_json::from_value(members).map_err(|error| Problem::bad(format!("the options cannot be used: {error}")))
}
