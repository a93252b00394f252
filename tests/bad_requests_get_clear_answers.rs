//! Whatever an authenticated caller sends, it gets a clear answer, and the minion serves on.

use func::tls::Role;
use func::wire::{Answer, RemoteError, Value};

use crate::client::{Client, identity};
use crate::harness::{Fleet, guest};

#[track_caller]
fn fault(client: &Client, body: &[u8], reason: &str) {
    let reply = client.post(body).unwrap();
    let Answer::Fault(fault) = reply.answer else { panic!("{reply:?}") };
    assert!(fault.message.contains(reason), "{fault}");
    assert!(!fault.message.contains("SECRET") && fault.message.len() < 200, "{fault}");
    assert_eq!(client.call("system.ping", vec![]), Value::Int(1), "it serves on");
}

#[track_caller]
fn error(client: &Client, method: &str, params: Vec<Value>) -> (String, String) {
    let value = client.call(method, params);
    let error = RemoteError::from_value(&value).unwrap_or_else(|| panic!("{value:?}"));
    (error.kind, error.message)
}

#[test]
fn requests_that_are_no_calls_are_faults() {
    let fleet = Fleet::start(["web1"]);
    let client = Client::of(&fleet, &identity(&fleet, Role::Overlord));
    let call = |value: &str| {
        let head = "<methodCall><methodName>test.echo</methodName><params><param>";
        format!("{head}{value}</param></params></methodCall>").into_bytes()
    };
    fault(&client, b"", "not well-formed");
    fault(&client, b"SECRET, not XML", "not XML-RPC");
    let whole = call("<value>SECRET</value>");
    fault(&client, &whole[..whole.len() / 2], "not well-formed");
    let levels = "<value><array><data>".repeat(10_000) + &"</data></array></value>".repeat(10_000);
    fault(&client, &call(&levels), "nested deeper than 32 levels");
    let bomb = b"<!DOCTYPE b [<!ENTITY a 'SECRET'><!ENTITY b '&a;&a;&a;'>]><methodCall/>";
    fault(&client, bomb, "document types, entities");
    fault(&client, b"<methodCall>\xff</methodCall>", "not UTF-8");

    let reply = client.post(&vec![b' '; 100_000_000]).unwrap();
    assert_eq!(reply.status, 413);
    assert!(reply.head.contains("connection: close"), "{}", reply.head);
    assert!(matches!(reply.answer, Answer::Fault(fault) if fault.message.contains("larger than the 16777216 bytes")));
    assert_eq!(client.call("test.add", vec![1.into(), 2.into()]), Value::Int(3), "it serves on");
}

#[test]
fn calls_that_cannot_be_made_say_why() {
    let mut fleet = Fleet::empty();
    let kinds = guest("kinds");
    let shipped = crate::harness::shipped_modules();
    let test = &shipped.modules.iter().find(|built| built.name == "test").unwrap().path;
    fleet.add_with("web1", "", &[&kinds, test]);
    let client = Client::of(&fleet, &identity(&fleet, Role::Overlord));

    let (kind, message) = error(&client, "test.pign", vec![]);
    assert_eq!(kind, "NoSuchMethod");
    assert!(message.contains("did you mean `ping`"), "{message}");
    let (kind, message) = error(&client, "tset.ping", vec![]);
    assert_eq!(kind, "NoSuchModule");
    assert!(message.contains("did you mean `test`"), "{message}");

    for (params, words) in [
        (vec![1.into()], ["test.add", "2 arguments, not 1"]),
        (vec![1.into(), 2.into(), 3.into()], ["test.add", "2 arguments, not 3"]),
        (vec![1.into(), Value::Array(vec![])], ["argument `b`", "s64"]),
        (vec![1.into(), "two".into()], ["argument `b`", "s64"]),
    ] {
        for method in ["test.add", "async.test.add"] {
            let (kind, message) = error(&client, method, params.clone());
            assert_eq!(kind, "InvalidArguments");
            assert!(words.iter().all(|word| message.contains(word)), "{method}: {message}");
        }
    }
    // A record with a key that its type does not have.
    let whole = [
        ("truth", true.into()),
        ("small", 1.into()),
        ("large", 1.into()),
        ("real", 1.5.into()),
        ("letter", "x".into()),
        ("two_words", "x".into()),
        ("raw", Value::Bytes(vec![1])),
        ("colour", "red".into()),
        ("may", Value::Array(vec![])),
        ("shape", Value::structure([("circle", Value::Double(1.0))])),
        ("counts", Value::structure([("a", Value::Int(1))])),
    ];
    let odd = whole.into_iter().chain([("no_such_key", Value::Nil)]);
    let (kind, message) = error(&client, "kinds.echo_record", vec![Value::structure(odd)]);
    assert_eq!(kind, "InvalidArguments");
    assert!(message.contains("no_such_key"), "{message}");
    assert_eq!(client.call("test.ping", vec![]), Value::Int(1), "it serves on");
}
