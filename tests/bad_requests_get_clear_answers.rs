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
    let names: Vec<char> = ('a'..='j').collect();
    let grow = |pair: &[char]| format!("<!ENTITY {} '{}'>", pair[1], format!("&{};", pair[0]).repeat(10));
    let laughs: String = names.windows(2).map(grow).collect();
    let billion =
        format!("<!DOCTYPE b [<!ENTITY a 'SECRET'>{laughs}]><methodCall><methodName>&j;</methodName></methodCall>");
    fault(&client, billion.as_bytes(), "document types, entities");
    fault(&client, &call("<value><string>&unheard;</string></value>"), "document types, entities");
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

    for (method, wanted, words) in
        [("test.pign", "NoSuchMethod", "did you mean `ping`"), ("tset.ping", "NoSuchModule", "did you mean `test`")]
    {
        for method in [method, &format!("async.{method}")] {
            let (kind, message) = error(&client, method, vec![]);
            assert_eq!(kind, wanted, "{method}: {message}");
            assert!(message.contains(words), "{method}: {message}");
        }
    }

    for (params, words) in [
        (vec![1.into()], ["`test.add` takes 2 arguments, not 1", "add(a: s64, b: s64)"]),
        (vec![1.into(), 2.into(), 3.into()], ["`test.add` takes 2 arguments, not 3", "add(a: s64, b: s64)"]),
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
    let odd = Value::structure(odd);
    for method in ["kinds.echo_record", "async.kinds.echo_record"] {
        let (kind, message) = error(&client, method, vec![odd.clone()]);
        assert_eq!(kind, "InvalidArguments", "{message}");
        assert!(message.starts_with("argument `it.no_such_key`: "), "{method}: {message}");
        assert!(message.contains("not a field"), "{method}: {message}");
    }
    assert_eq!(client.call("test.ping", vec![]), Value::Int(1), "it serves on");
}

#[test]
fn what_there_is_is_named_to_whoever_asks_for_the_documentation_of_something_else() {
    let fleet = Fleet::start(["m1"]);
    let module = fleet.func(["doc", "dizk"]).expect(1).err;
    assert!(
        module.contains("`m1` has no module `dizk`") && module.contains("did you mean `disk`? there are: "),
        "{module}"
    );
    let module = fleet.func(["doc", "nothing-like-it"]).expect(1).err;
    assert!(
        module.contains("there are: ") && module.contains("greeting") && !module.contains("did you mean"),
        "{module}"
    );
    let method = fleet.func(["doc", "disk.usagee"]).expect(1).err;
    assert!(method.contains("has no method `usagee`") && method.contains("did you mean `usage`?"), "{method}");
}
