//! A call as the policy sees it.
//!
//! A job, a check and a call inside `system.multicall` or `overlord.delegate` are judged by their method; `system.multicall` itself is not.
//! Bytes that are sent beside calls are for a call that comes later, with arguments that nobody knows yet: they are
//! taken from whoever might make one.

use super::{
    MinionConfig,
    backend::{Backend, Known},
    builtin::Builtin,
    caller::Caller,
    delegation,
    dispatch::Dispatcher,
    facts,
    introspect::OF_EVERY_MODULE,
};
use crate::{
    access::{Asked, Asker, Decision, MethodClass, Policy, SubjectHash},
    fleet::DELEGATE,
    ids::MethodName,
    plugin::{self, Metadata},
    tls::Role,
    wire::{Call, Fault, RemoteError, Value},
};

/// Whether the caller may make this call.
pub(super) fn judge<B: Backend>(dispatcher: &Dispatcher<B>, caller: &Caller, call: &Call) -> Result<(), Fault> {
    if call.method == "system.multicall" {
        return Ok(());
    }
    // What is passed on is judged as if it were called here.
    let inner;
    let call = if call.method == DELEGATE {
        let why = format!("malformed request: {DELEGATE} takes a way, a method and its arguments");
        let mut passed_on = delegation::inner(call).ok_or_else(|| Fault::refused(why))?;
        if facts::take_query(&mut passed_on.params).is_ok_and(|query| query.is_some()) {
            may_tell_facts(dispatcher, caller)?;
        }
        inner = passed_on;
        &inner
    } else {
        call
    };
    let asked = asked(|name| dispatcher.backend.known(name), &call.method, Some(&call.params));
    let judged = dispatcher.rules.now().policy.judge(caller.asker(), &asked);
    judged.map_err(|denied| Fault::refused(denied.to_string()))
}

/// Whether the caller may learn the facts of this machine. Whoever may not cannot have a condition on them, either: who is
/// skipped by it, and what it says of that, would tell them.
pub(super) fn may_tell_facts<B: Backend>(dispatcher: &Dispatcher<B>, caller: &Caller) -> Result<(), Fault> {
    let facts = Call::new("system.facts", Vec::new());
    judge(dispatcher, caller, &facts).map_err(|denied| {
        Fault::refused(format!("a condition on facts takes the right to ask for them: {}", denied.message))
    })
}

/// Whether the caller may send bytes.
pub(super) fn may_send<B: Backend>(dispatcher: &Dispatcher<B>, caller: &Caller) -> Result<(), Fault> {
    let policy = &dispatcher.rules.now().policy;
    let might = |method| {
        let asked = Asked::new(method, MethodClass::Other, None);
        policy.judge(caller.asker(), &asked)
    };
    let taken = ["copyfile.put", "modules.install"].into_iter().any(|method| might(method).is_ok());
    if taken { Ok(()) } else { might("transfer.put").map_err(|denied| Fault::refused(denied.to_string())) }
}

fn asked<'a>(known: impl Fn(&MethodName) -> Option<Known>, method: &str, args: Option<&'a [Value]>) -> Asked<'a> {
    let name = method.strip_prefix("async.").unwrap_or(method);
    if let Some(builtin) = Builtin::find(name.strip_prefix("check.").unwrap_or(name)) {
        return Asked::new(builtin.name, builtin.class(), args);
    }
    let Ok(name) = name.parse::<MethodName>() else { return Asked::new(name, MethodClass::Other, args) };
    let (name, check) = name.checked().map_or((name, false), |checked| (checked, true));
    match known(&name) {
        None => Asked { check, ..Asked::new(name.to_string(), MethodClass::Other, args) },
        Some(known) => {
            let class = if known.read_only {
                MethodClass::ReadOnly
            } else if OF_EVERY_MODULE.contains(&name.method()) {
                MethodClass::Introspection
            } else {
                MethodClass::Other
            };
            let names = known.modules.iter().map(|module| format!("{module}.{}", name.method())).collect();
            Asked { names, class, args, check }
        }
    }
}

/// `system.explain`: what decides about the call of somebody with a certificate of our authority's.
pub(super) fn explain<B: Backend>(
    dispatcher: &Dispatcher<B>,
    builtin: &Builtin,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let [caller, role, call] = builtin.args(params)?;
    let (name, role) = (builtin.text(0, caller)?, builtin.text(1, role)?);
    let role: Role = role.parse().map_err(|error| RemoteError::new("InvalidArguments", format!("{error}")))?;
    let Value::Struct(mut members) = call else { return Err(builtin.wrong(2, &call)) };
    let (Some(Value::String(method)), Some(Value::Array(args)), true) =
        (members.remove("method"), members.remove("args"), members.is_empty())
    else {
        let why = "a call is a struct of method, a string, and args, an array";
        return Err(RemoteError::new("InvalidArguments", why));
    };
    let asked = asked(|name| dispatcher.backend.known(name), &method, Some(&args));
    let rules = dispatcher.rules.now();
    let decision = rules
        .policy
        .decide(Asker { name: &name, role: Some(role), subject: Some(SubjectHash::of_common_name(&name)) }, &asked);
    Ok(Value::structure([("allowed", Value::Bool(decision.allowed)), ("because", decision.because.to_string().into())]))
}

/// What decides about a call by the rules of a configuration and the modules in its plugin folder, as a minion that
/// runs with it would see it.
pub fn explain_offline<'a>(
    config: &MinionConfig,
    policy: &'a Policy,
    asker: Asker<'_>,
    method: &str,
    args: &[Value],
) -> Decision<'a> {
    let known = |name: &MethodName| in_folder(config, name);
    policy.decide(asker, &asked(known, method, Some(args)))
}

fn in_folder(config: &MinionConfig, name: &MethodName) -> Option<Known> {
    for (file, modules) in plugin::modules_in(&config.folders.modules) {
        let Ok(modules) = modules else { continue };
        if let Some(pair) = modules.chunks_exact(2).find(|pair| pair.contains(name.module())) {
            let bytes = std::fs::read(&file).ok()?;
            let docs = Metadata::read(&bytes).docs;
            let functions = docs.interface(pair[1].as_str()).map(|interface| &interface.functions);
            let read_only = functions.is_some_and(|functions| {
                functions.iter().any(|(function, docs)| function.replace('-', "_") == name.method() && docs.read_only)
            });
            return Some(Known { modules: [pair[0].clone(), pair[1].clone()], read_only });
        }
    }
    None
}
