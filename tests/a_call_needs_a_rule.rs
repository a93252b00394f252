//! Who may call what is the operator's to say, rule by rule; what no rule allows is denied and written down.

use std::fs;

use func::ca::IssueRequest;
use func::tls::{Identity, Role};
use func::wire::{Answer, Call, Value, encode_call};

use crate::client::{Client, authority};
use crate::harness::{Answer as Told, Fleet, until};

const RULES: &str = r#"
[[access]]
allow = "test.add"
args = ["1", "*"]
caller = "ci"
[[access]]
deny = "test.echo"
caller = "ci"
[[access]]
allow = "*"
caller = "ci"
check_only = true
[[access]]
allow = "*"
caller = "overlord"
[[access]]
allow = "*"
role = ["reader", "author"]
"#;

fn caller(fleet: &Fleet, name: &str, role: Role) -> Client {
    Client::of(fleet, &identity(fleet, name, role))
}

fn identity(fleet: &Fleet, name: &str, role: Role) -> Identity {
    authority(fleet).issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap().identity().unwrap()
}

/// Whether the call was let in, whatever came of it.
fn may(client: &Client, method: &str, params: Vec<Value>) -> bool {
    match client.post(encode_call(&Call::new(method, params)).as_bytes()).unwrap().answer {
        Answer::Value(_) => true,
        Answer::Fault(fault) => {
            assert!(fault.message.starts_with("access denied: "), "{fault}");
            false
        }
    }
}

fn on(fleet: &Fleet, words: &[&str]) -> Told {
    fleet.command(words).env("FUNC_HOME", &fleet.minions[0].home).output().unwrap().into()
}

#[test]
fn the_first_rule_that_fits_decides_in_whatever_form_the_call_comes() {
    let fleet = Fleet::with(["web1"], RULES);
    let ci = caller(&fleet, "ci", Role::Overlord);
    let add = |first: i64| vec![Value::Int(first), Value::Int(2)];
    for prefix in ["", "async."] {
        assert!(may(&ci, &format!("{prefix}test.add"), add(1)) && !may(&ci, &format!("{prefix}test.add"), add(3)));
        assert!(may(&ci, &format!("{prefix}check.test.add"), add(3)));
        assert!(!may(&ci, &format!("{prefix}test.echo"), vec!["x".into()]));
        assert!(!may(&ci, &format!("{prefix}check.test.echo"), vec!["x".into()]));
    }
    assert!(!may(&ci, "system.list_methods", vec![]) && !may(&ci, "no.such", vec![]));
    assert!(!may(&ci, "modules.rollback", vec!["test".into()]) && !may(&ci, "copyfile.put", vec![]));
    // A call in a call is judged like any other.
    let inner = |method: &str, params: Vec<Value>| {
        Value::structure([("methodName", Value::from(method)), ("params", Value::Array(params))])
    };
    let calls = vec![inner("test.add", add(1)), inner("test.add", add(3)), inner("test.echo", vec!["x".into()])];
    let Value::Array(answers) = ci.call("system.multicall", vec![Value::Array(calls)]) else { panic!("no list") };
    assert_eq!(answers[0], Value::Array(vec![Value::Int(3)]));
    assert!(answers[1..].iter().all(|answer| format!("{answer:?}").contains("access denied")), "{answers:?}");
    let denied: Vec<_> =
        fleet.audit("web1", "test.add").into_iter().filter(|line| line["outcome"] == "denied").collect();
    assert_eq!(denied.len(), 2, "{denied:?}");
    assert_eq!((&denied[0]["caller"], &denied[0]["args"]), (&"ci".into(), &"[3,2]".into()));
    assert!(denied[0]["error"].as_str().unwrap().contains("may not call `test.add` with these arguments"));
    assert_eq!(
        fleet.func(["call", "web1", "test.echo", "x", "--json"]).expect(0).json()["hosts"]["web1"]["value"],
        "x"
    );
}

#[test]
fn readers_read_and_authors_install_and_no_rule_gives_them_more() {
    let fleet = Fleet::with(["web1"], RULES);
    let (reader, author) = (caller(&fleet, "eve", Role::Reader), caller(&fleet, "ann", Role::Author));
    let install = || vec!["x".into(), "0".repeat(64).into(), Value::Int(1), "".into()];
    for (method, params, reads, installs) in [
        ("system.list_methods", vec![], true, true),
        ("test.get_method_args", vec![], true, true),
        ("vlan.list", vec![], true, false),
        ("process.kill", vec![4711.into()], false, false),
        ("modules.install", install(), false, true),
        ("modules.rollback", vec!["x".into()], false, false),
        ("getfile.offer", vec!["/etc/hosts".into()], false, false),
    ] {
        assert_eq!((may(&reader, method, params.clone()), may(&author, method, params)), (reads, installs), "{method}");
    }
    let put = format!("PUT /blobs/sha256:{} HTTP/1.1\r\nhost: web1\r\nconnection: close\r\n\r\n", "0".repeat(64));
    let status = |client: &Client| String::from_utf8(client.send(&[put.as_bytes()]).unwrap()).unwrap();
    assert!(status(&reader).starts_with("HTTP/1.1 403 "), "{}", status(&reader));
    assert!(status(&author).starts_with("HTTP/1.1 400 "), "{}", status(&author));
}

#[test]
fn rules_and_old_acl_files_are_taken_at_once_and_a_broken_one_changes_nothing() {
    let mut fleet = Fleet::empty();
    let acl = fleet.folder().join("acl");
    fs::create_dir(&acl).unwrap();
    let none = format!("[[access]]\nallow = \"system.*\"\ncaller = \"overlord\"\n# acl = {acl:?}\n");
    fleet.add("web1", &none);
    let toml = fleet.folder().join("web1/minion.toml");
    let good = fs::read_to_string(&toml).unwrap().replace("[folders]", &format!("[folders]\nacl = {acl:?}"));
    fs::write(&toml, &good).unwrap();
    // What `openssl x509 -noout -subject_hash` says of CN=old, in decimal.
    fs::write(acl.join("old.acl"), "# the old way\nold-2084064988 = test.add\n").unwrap();
    let old = caller(&fleet, "old", Role::Minion);
    let add = || vec![Value::Int(1), Value::Int(2)];
    until("the old file", || may(&old, "test.add", add()).then_some(()));
    assert!(!may(&old, "test.echo", vec!["x".into()]) && !may(&caller(&fleet, "new", Role::Minion), "test.add", add()));
    let told = on(&fleet, &["acl", "explain", "old", "test.add", "--role", "minion"]).expect(0);
    assert_eq!(told.out, "allowed: old.acl, line 2: old-2084064988 = test.add");

    fs::write(acl.join("broken.acl"), "nonsense\n").unwrap();
    until("the complaint", || fleet.minions[0].log().contains("broken.acl, line 1").then_some(()));
    assert!(may(&old, "test.add", add()));
    on(&fleet, &["acl", "list"]).expect(3);
    fs::remove_file(acl.join("broken.acl")).unwrap();
    fs::remove_file(acl.join("old.acl")).unwrap();
    until("the end of the old file", || (!may(&old, "test.add", add())).then_some(()));

    fs::write(&toml, format!("{good}[[access]]\ndeny = \"*\"\nargs = []\n")).unwrap();
    until("the complaint", || fleet.minions[0].log().contains("a denial is of whole methods").then_some(()));
    assert!(may(&caller(&fleet, "overlord", Role::Overlord), "system.ping", vec![]));
    fs::write(&toml, good.replace("\"system.*\"", "\"test.*\"")).unwrap();
    until("the new rule", || may(&caller(&fleet, "overlord", Role::Overlord), "test.add", add()).then_some(()));
}

#[test]
fn the_rule_that_decides_is_told_here_and_from_afar() {
    let fleet = Fleet::with(["web1"], RULES);
    let words = ["acl", "explain", "ci", "test.add", "3", "2"];
    let told = on(&fleet, &words).expect(1);
    assert_eq!(told.out, "denied: no rule fits, and what no rule allows is denied");
    let told = on(&fleet, &["acl", "explain", "ci", "async.check.test.add", "3", "2", "--json"]).expect(0);
    assert_eq!(told.json()["because"], "rule 3 of [[access]]: allow only checks of * to ci as overlord, sub-overlord");
    let far = fleet.func(words.into_iter().chain(["--host", "web1", "--json"])).expect(0).json();
    assert_eq!(far["hosts"]["web1"]["value"]["allowed"], false, "{far}");
    let list = on(&fleet, &["acl", "list"]).expect(0).out;
    assert!(list.starts_with("1. allow test.add(1, *) to ci as overlord, sub-overlord\n2. deny test.echo"), "{list}");
}
