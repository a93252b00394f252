//! The overlord's own XML-RPC, so that a stock client drives a whole fleet: `overlord.call("*", "service", "status", ["sshd"])`.

use serde_json::Value as Json;

use super::{
    Daemon, answers,
    api::{CallRequest, JobRequest},
    caller::{Caller, Deed},
    problem::Problem,
};
use crate::wire::{self, Answer, Fault, Value};

const METHODS: [&str; 7] = [
    "overlord.call",
    "overlord.cancel",
    "overlord.hosts",
    "overlord.jobs",
    "overlord.status",
    "overlord.submit",
    "system.listMethods",
];

/// The answer to a request, also to one that cannot be read.
pub(super) async fn answer(daemon: &Daemon, caller: &Caller, body: &[u8]) -> String {
    let answer = match wire::parse_call(body) {
        Ok(call) if let Err(problem) = caller.allow(deed(&call.method)) => Err(problem.text().to_owned()),
        Ok(call) => respond(daemon, call).await.map_err(|problem| problem.text().to_owned()),
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

async fn respond(daemon: &Daemon, call: wire::Call) -> Result<Value, Problem> {
    let json = match (call.method.as_str(), &call.params[..]) {
        ("overlord.call", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let method = format!("{module}.{method}");
            let request = CallRequest { target: target.clone(), method, args: list(rest)?, ..CallRequest::default() };
            let mut answer = daemon.call(&request).await?;
            answer["hosts"].take()
        }
        ("overlord.submit", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let method = format!("{module}.{method}");
            let request = JobRequest { target: target.clone(), method, args: list(rest)?, ..JobRequest::default() };
            return Ok(Value::from(daemon.submit(request).await?.id.as_str()));
        }
        ("overlord.status", [Value::String(id)]) => {
            daemon.overlord.status(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.cancel", [Value::String(id)]) => {
            daemon.overlord.cancel(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.jobs", []) => daemon.jobs().await?["jobs"].take(),
        ("overlord.hosts", []) => daemon.hosts(None)?["hosts"].take(),
        ("overlord.hosts", [Value::String(target)]) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("target", target).finish();
            daemon.hosts(Some(&query))?["hosts"].take()
        }
        ("system.listMethods", []) => METHODS.into_iter().map(Json::from).collect(),
        (method, _) if METHODS.contains(&method) => {
            let usage = "overlord.call and .submit take a target, a module, a method and a list of arguments; .status and \
                         .cancel a job's id; .hosts a target or nothing; the others nothing";
            return Err(Problem::bad(format!("`{method}` does not take these arguments: {usage}")));
        }
        (method, _) => {
            return Err(Problem::bad(format!("there is no method `{method}`; there are {}", METHODS.join(", "))));
        }
    };
    Ok(Value::from_json(&json))
}

/// The list of arguments, which may be left out.
fn list(rest: &[Value]) -> Result<Vec<Json>, Problem> {
    match rest {
        [] => Ok(Vec::new()),
        [Value::Array(args)] => Ok(args.iter().map(Value::to_json).collect()),
        _ => Err(Problem::bad("the arguments of the method come last, in one list")),
    }
}
