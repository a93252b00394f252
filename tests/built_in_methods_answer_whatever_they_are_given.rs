//! Every method that the minion has of its own, called over the wire with what nobody should send: in all of its
//! parameters at once, in each of them alone while the others are harmless, and with too few and too many.

use std::{collections::BTreeMap, fs, path::Path, thread};

use func::tls::Role;
use func::wire::{Answer, Call, RemoteError, Value, encode_call};

use crate::client::{Client, identity};
use crate::harness::Fleet;

const LONG: usize = 1 << 20;

/// Arguments that make sense for each method; `open` is a folder with a file `a`, which may be read and written.
fn harmless(open: &Path) -> BTreeMap<&'static str, Vec<Value>> {
    let at = |name: &str| Value::from(open.join(name).to_str().unwrap());
    let nothing = Value::structure::<&str>([]);
    let digest = || Value::from("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    let id = || Value::from("0198a4c2-7b1e-7c3a-9d52-3f6b8e0c1a77-minion");
    let call = Value::structure([("method", Value::from("greeting.hello")), ("args", Value::Array(vec!["x".into()]))]);
    let none = || Value::Array(vec![]);
    BTreeMap::from([
        ("copyfile.make_dir", vec![at("new"), nothing.clone()]),
        ("copyfile.put", vec![at("b"), digest(), 5.into(), nothing]),
        ("getfile.list", vec![at("")]),
        ("getfile.offer", vec![at("a")]),
        ("identity.crl", vec!["x".into()]),
        ("identity.csr", vec![]),
        ("identity.install", vec!["x".into()]),
        ("identity.trust", vec!["x".into()]),
        ("jobs.budget", vec![id()]),
        ("jobs.cancel", vec![id()]),
        ("jobs.follow", vec![id(), 0.into(), Value::Double(0.0)]),
        ("jobs.get_progress", vec![id()]),
        ("jobs.job_status", vec![id()]),
        ("jobs.log", vec![id(), 0.into()]),
        ("jobs.open_ids", vec![]),
        ("jobs.tail_output", vec![id()]),
        ("jobs.wait", vec![id(), Value::Double(0.0)]),
        ("modules.install", vec!["greeting".into(), digest(), 5.into(), "x".into()]),
        ("modules.rollback", vec!["greeting".into()]),
        ("overlord.delegate", vec![Value::Array(vec!["web2".into()]), "system.ping".into(), none()]),
        ("overlord.map", vec![]),
        ("system.audit_head", vec![]),
        ("system.explain", vec!["caller".into(), "overlord".into(), call]),
        ("system.facts", vec![]),
        ("system.grep", vec!["x".into()]),
        ("system.inventory", vec![]),
        ("system.listMethods", vec![]),
        ("system.list_methods", vec![]),
        ("system.list_modules", vec![]),
        ("system.methodHelp", vec!["system.ping".into()]),
        ("system.methodSignature", vec!["system.ping".into()]),
        ("system.modules", vec![]),
        ("system.multicall", vec![none()]),
        ("system.ping", vec![]),
        ("system.time", vec![]),
        ("transfer.get", vec![digest(), 0.into(), 5.into()]),
        ("transfer.put", vec![digest(), 5.into(), 0.into(), Value::Bytes(b"hello".to_vec())]),
    ])
}

fn hostile() -> Vec<Value> {
    let texts = ["", "-rf", "a\nb", "a\0b", "../../etc/shadow", "/", "/proc/self/mem", "\u{1b}[2J", "$(reboot)", "é"];
    let numbers = [-1, i64::MIN, i64::MAX].map(Value::Int);
    let doubles = [-1.0, 1e300].map(Value::Double);
    let structs = [("", Value::Nil), ("mode", (-1).into()), ("mode", i64::MAX.into()), ("owner", "no-such".into())];
    let structs = structs.map(|member| Value::structure([member]));
    let others = [Value::Nil, true.into(), Value::Bytes(vec![255]), Value::Array(vec![Value::Array(vec![])])];
    let rest = numbers.into_iter().chain(doubles).chain(structs).chain(others);
    texts.map(Value::from).into_iter().chain(rest).collect()
}

/// Every way in which these arguments turn hostile.
fn calls(harmless: &[Value], hostile: &[Value]) -> Vec<Vec<Value>> {
    let all = |bad: &Value| vec![bad.clone(); harmless.len()];
    let alone = |bad: &Value, at: usize| {
        let mut args = harmless.to_vec();
        args[at] = bad.clone();
        args
    };
    let each = |bad| (0..harmless.len()).map(move |at| alone(bad, at));
    let hostile = hostile.iter().flat_map(|bad| each(bad).chain([all(bad)]));
    let more = harmless.iter().cloned().chain([Value::Nil]).collect();
    hostile.chain([vec![], more, harmless.to_vec()]).collect()
}

/// A result, or an error that has a kind and says in few words what is wrong.
fn is_clear(method: &str, args: &[Value], answer: &Value) {
    if let Some(RemoteError { kind, message, .. }) = RemoteError::from_value(answer) {
        assert!(!kind.is_empty() && kind != "Internal" && kind != "Trap", "{method} {args:.300?}: {answer:.600?}");
        says_little(method, args, &message);
    }
}

fn says_little(method: &str, args: &[Value], message: &str) {
    // The line that would allow it follows, and has the whole path in it.
    let message = message.split("; to allow it, ").next().unwrap_or_default();
    let is_short = !message.is_empty() && message.len() < 2000;
    assert!(is_short && !message.contains(char::is_control), "{method} {args:.300?}: {message:.600?}");
}

/// What a call that is sent by itself is answered.
fn answers_clearly(client: &Client, method: &str, args: &[Value]) {
    let call = Call::new(method, args.to_vec());
    match client.post(encode_call(&call).as_bytes()).unwrap().answer {
        Answer::Value(value) => is_clear(method, args, &value),
        Answer::Fault(fault) => says_little(method, args, &fault.message),
    }
}

fn call_badly(client: &Client, method: &str, harmless: &[Value]) {
    let batch = calls(harmless, &hostile());
    for args in calls(harmless, &[Value::from("x".repeat(LONG))]) {
        answers_clearly(client, method, &args);
    }
    if method == "system.multicall" {
        // It takes no other of its kind.
        return batch.into_iter().for_each(|args| answers_clearly(client, method, &args));
    }
    let call =
        |args: &Vec<Value>| Value::structure([("methodName", Value::from(method)), ("params", args.clone().into())]);
    let answers = client.call("system.multicall", vec![batch.iter().map(call).collect::<Vec<_>>().into()]);
    let Value::Array(answers) = answers else { panic!("{answers:?}") };
    assert_eq!(answers.len(), batch.len());
    for (args, answer) in batch.iter().zip(&answers) {
        match answer {
            Value::Array(answer) => is_clear(method, args, &answer[0]),
            Value::Struct(fault) => says_little(method, args, fault["faultString"].as_str().unwrap()),
            other => panic!("{method} {args:.300?}: {other:?}"),
        }
    }
}

#[test]
fn no_method_of_the_minion_breaks_whatever_it_is_given() {
    let mut fleet = Fleet::empty();
    let open = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&open).unwrap();
    fs::write(open.join("a"), "a").unwrap();
    let all = open.join("**").display().to_string();
    let grants = format!("[grants.copyfile]\nwrite = [\"{all}\"]\n[grants.getfile]\nread = [\"{all}\"]\n");
    let shipped = crate::harness::shipped_modules();
    let greeting = &shipped.modules.iter().find(|built| built.name == "greeting").unwrap().path;
    fleet.add_with("web1", &grants, &[greeting]);
    let client = Client::of(&fleet, &identity(&fleet, Role::Overlord));

    let harmless = harmless(&open);
    let Value::Array(methods) = client.call("system.listMethods", vec![]) else { panic!("no list") };
    let own = methods.iter().filter_map(Value::as_str).filter(|name| !name.starts_with("greeting."));
    assert_eq!(own.collect::<Vec<_>>(), harmless.keys().copied().collect::<Vec<_>>());

    thread::scope(|scope| {
        for (method, harmless) in &harmless {
            scope.spawn(|| call_badly(&client, method, harmless));
        }
    });
    assert_eq!(client.call("system.ping", vec![]), Value::Int(1), "it serves on");
    let log = fleet.minions[0].log();
    assert!(!log.contains("panicked"), "{log}");
}
