//! The overlord's own XML-RPC, so that a stock client drives a whole fleet: `overlord.call("*", "service", "status", ["sshd"])`.

use serde_json::{Value as Json, json};

use super::{
    Daemon, answers, api,
    caller::{Caller, Deed},
    problem::Problem,
    schedules,
};
use crate::{
    ids::ScheduleName,
    wire::{self, Answer, Fault, Value},
};

const METHODS: [&str; 16] = [
    "overlord.call",
    "overlord.cancel",
    "overlord.hosts",
    "overlord.jobs",
    "overlord.pause_schedule",
    "overlord.remove_schedule",
    "overlord.resume",
    "overlord.resume_schedule",
    "overlord.retry",
    "overlord.run_schedule",
    "overlord.schedule",
    "overlord.schedules",
    "overlord.set_schedule",
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
        "overlord.hosts" | "overlord.jobs" | "overlord.status" | "overlord.schedules" | "overlord.schedule"
        | "system.listMethods" => Deed::Looks,
        _ => Deed::Acts,
    }
}

async fn respond(daemon: &Daemon, caller: &Caller, call: wire::Call) -> Result<Value, Problem> {
    let json = match (call.method.as_str(), &call.params[..]) {
        ("overlord.call", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let mut answer = daemon.call(caller, &api::read(call_members(target, module, method, rest)?)?).await?;
            answer["hosts"].take()
        }
        ("overlord.submit", [Value::String(target), Value::String(module), Value::String(method), rest @ ..]) => {
            let submitted = daemon.submit(caller, &api::read(call_members(target, module, method, rest)?)?).await?;
            return Ok(Value::from(submitted.job.id.as_str()));
        }
        ("overlord.retry", [Value::String(id), options @ Value::Struct(_)]) => {
            let submitted =
                daemon.retry(caller, &answers::job(Some(id.clone()))?, &api::read(options.to_json())?).await?;
            return Ok(Value::from(submitted.job.id.as_str()));
        }
        ("overlord.resume", [Value::String(id), rest @ ..]) => {
            let options = options(rest)?;
            daemon.resume(caller, &answers::job(Some(id.clone()))?, &api::read(options)?).await?.to_json()
        }
        ("overlord.status", [Value::String(id)]) => {
            daemon.overlord.status(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.cancel", [Value::String(id)]) => {
            daemon.overlord.cancel(&answers::job(Some(id.clone()))?).await?.to_json()
        }
        ("overlord.jobs", rest) => daemon.jobs(&api::job_filter(parameters(rest)?)?).await?["jobs"].take(),
        ("overlord.hosts", []) => daemon.hosts(caller, None)?["hosts"].take(),
        ("overlord.hosts", [Value::String(target)]) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("target", target).finish();
            daemon.hosts(caller, Some(&query))?["hosts"].take()
        }
        ("overlord.schedules", []) => daemon.schedules().await?["schedules"].take(),
        ("overlord.schedule", [Value::String(name)]) => daemon.schedule(&schedule(name)?).await?,
        ("overlord.set_schedule", [Value::String(name), members @ Value::Struct(_)]) => {
            daemon.set_schedule(caller, &schedule(name)?, &api::read(members.to_json())?).await?.to_json(true)
        }
        ("overlord.remove_schedule", [Value::String(name)]) => daemon.remove_schedule(caller, &schedule(name)?).await?,
        ("overlord.run_schedule", [Value::String(name)]) => {
            return Ok(Value::from(daemon.run_schedule(caller, &schedule(name)?).await?.id.as_str()));
        }
        ("overlord.pause_schedule", [Value::String(name)]) => {
            daemon.pause_schedule(caller, &schedule(name)?, true).await?
        }
        ("overlord.resume_schedule", [Value::String(name)]) => {
            daemon.pause_schedule(caller, &schedule(name)?, false).await?
        }
        ("system.listMethods", []) => METHODS.into_iter().map(Json::from).collect(),
        (method, _) if METHODS.contains(&method) => {
            let usage = "overlord.call and .submit take a target, a module, a method, a list of arguments and a struct of \
                         options, of which the last two may be left out; .retry a job's id and options; .resume a job's id \
                         and, if it needs some, options; .status and .cancel a job's id; .hosts a target or nothing; .jobs a \
                         struct of what they must be, or nothing; .set_schedule a name and the members of a schedule; the \
                         others about one schedule its name; the rest nothing";
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

/// The members of such a struct as text, as parameters of a path are.
fn parameters(rest: &[Value]) -> Result<Vec<(String, String)>, Problem> {
    let Json::Object(members) = options(rest)? else { return Ok(Vec::new()) };
    let text = |value: Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(members.into_iter().map(|(name, value)| (name, text(value))).collect())
}

fn schedule(name: &str) -> Result<ScheduleName, Problem> {
    schedules::name(Some(name.to_owned()))
}
