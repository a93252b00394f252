//! What `func ca revoke` takes away is gone: on minions that run, and on the overlord.

use std::{fs, thread};

use serde_json::json;

use crate::harness::{Answer, Daemon, Fleet, until};

#[test]
fn by_a_minion_that_runs_at_once() {
    let fleet = Fleet::start(["web1"]);
    let ann = fleet.folder().join("ann");
    let out = ann.join("identity");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    fs::copy(fleet.home().join("inventory.toml"), ann.join("inventory.toml")).unwrap();
    let ping = || Answer::from(fleet.command(["ping"]).env("FUNC_HOME", &ann).output().unwrap());
    ping().expect(0);

    let told = fleet.func(["ca", "revoke", "ann", "--json"]).expect(0).json();
    assert_eq!((&told["revoked"][0]["name"], &told["revoked"][0]["role"]), (&"ann".into(), &"overlord".into()));
    assert_eq!((&told["delivered"], &told["missing"]), (&serde_json::json!(["web1"]), &serde_json::json!({})));
    // Refused by every host is a failure like others.
    let refused = until("the list to be heeded", || Some(ping()).filter(|answer| answer.code == 1));
    assert!(refused.out.contains("refused") && refused.out.contains("revoked"), "{}", refused.out);
    fleet.func(["ping"]).expect(0);

    let list = fleet.func(["ca", "list", "--json"]).expect(0).json();
    let revoked =
        |name: &str| list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()["revoked"].clone();
    assert_eq!((revoked("ann"), revoked("web1")), (true.into(), false.into()));
}

#[test]
fn by_the_overlord_at_once() {
    let fleet = Fleet::start(["web1", "web2"]);
    fleet.func(["ca", "revoke", "nobody"]).expect(3);
    let list = fleet.func(["ca", "list", "--json"]).expect(0).json();
    let serial = list.as_array().unwrap().iter().find(|entry| entry["name"] == "web1").unwrap()["serial"].clone();
    let told = fleet.func(["ca", "revoke", "web2"]).expect(0);
    assert!(told.out.contains("identity/crl.pem") && told.out.contains("func hosts remove web2"), "{}", told.out);
    assert!(told.out.starts_with("revoked `web2`") && told.out.contains("func ca token --for NAME"), "{}", told.out);
    let answer = fleet.func(["ping", "--json"]).expect(1).json();
    assert_eq!(answer["hosts"]["web1"]["outcome"], "ok", "{answer}");
    assert_eq!(answer["hosts"]["web2"]["outcome"], "unreachable", "{answer}");
    assert!(answer["hosts"]["web2"]["why"].as_str().unwrap().contains("its certificate is revoked"), "{answer}");

    // The second list holds the first one's certificate too.
    assert_eq!(fleet.func(["ca", "revoke", serial.as_str().unwrap()]).expect(0).err, "");
    assert_eq!(fleet.func(["ping", "--json"]).expect(6).json()["summary"]["unreachable"], 2);
}

#[test]
fn a_list_of_another_authority_is_not_replaced() {
    let (fleet, other) = (Fleet::start(["web1"]), Fleet::empty());
    other.func(["ca", "issue", "old", "--role", "author"]).expect(0);
    let list = other.func(["ca", "revoke", "old", "--json"]).expect(0).json()["list"].as_str().unwrap().to_owned();
    let own = fleet.home().join("identity/crl.pem");
    fs::copy(list, &own).unwrap();
    let before = fs::read(&own).unwrap();
    let told = fleet.func(["ca", "revoke", "web1"]).expect(0);
    assert!(told.err.contains("another list"), "{}", told.err);
    assert_eq!(fs::read(&own).unwrap(), before);
}

#[test]
fn by_a_minion_that_was_down_with_the_next_call_to_it() {
    let mut fleet = Fleet::start(["web1"]);
    let ann = fleet.folder().join("ann");
    let out = ann.join("identity");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    fs::copy(fleet.home().join("inventory.toml"), ann.join("inventory.toml")).unwrap();
    fleet.minion("web1").stop();
    let told = fleet.func(["ca", "revoke", "ann"]).expect(0);
    assert!(told.out.contains("`web1` has not got it"), "{}", told.out);
    fleet.minion("web1").launch();
    fleet.func(["ping"]).expect(0);
    let refused = Answer::from(fleet.command(["ping"]).env("FUNC_HOME", &ann).output().unwrap()).expect(1);
    assert!(refused.out.contains("refused") && refused.out.contains("revoked"), "{}", refused.out);
    assert!(fleet.func(["ca", "revoke", "ann"]).expect(0).out.contains("was revoked before"));
}

#[test]
fn on_a_connection_that_is_open() {
    let fleet = Fleet::start(["web1"]);
    let ann = fleet.folder().join("ann");
    let out = ann.join("identity");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    fs::copy(fleet.home().join("inventory.toml"), ann.join("inventory.toml")).unwrap();
    let log = || fleet.minions[0].log();
    let waiting = fleet.command(["call", "web1", "test.sleep", "50"]).env("FUNC_HOME", &ann).spawn().unwrap();
    until("the call to begin", || (!fleet.whole_audit("web1", "test.sleep").is_empty()).then_some(()));
    fleet.func(["ca", "revoke", "ann"]).expect(0);
    until("the connection to be cut", || log().contains("a connection was cut").then_some(()));
    assert!(!waiting.wait_with_output().unwrap().status.success());
    fleet.func(["ping"]).expect(0);
}

#[test]
fn by_the_overlord_s_daemon_while_it_runs_and_calls() {
    let fleet = Fleet::start(["web1", "web2"]);
    let daemon = Daemon::start(&fleet);
    let ping = || daemon.post("/v1/calls", &json!({ "target": "*", "method": "test.ping" }), 200)["hosts"].clone();
    let before = ping();
    assert_eq!((&before["web1"]["outcome"], &before["web2"]["outcome"]), (&json!("ok"), &json!("ok")));

    let sleep = json!({ "target": "web*", "method": "test.sleep", "args": [15] });
    thread::scope(|scope| {
        // web2 waits on a connection that is open, and another one to it is kept for the next call.
        let waiting = scope.spawn(|| daemon.post("/v1/calls", &sleep, 200)["hosts"].clone());
        until("the call to begin", || (!fleet.whole_audit("web2", "test.sleep").is_empty()).then_some(()));
        fleet.func(["ca", "revoke", "web2"]).expect(0);
        let refused = until("the daemon to heed the list", || {
            Some(ping()).filter(|hosts| hosts["web2"]["outcome"] == "unreachable")
        });
        assert!(refused["web2"]["why"].as_str().unwrap().contains("is revoked"), "{refused}");
        assert_eq!(refused["web1"]["outcome"], "ok");
        let waited = waiting.join().unwrap();
        assert_eq!(
            (&waited["web1"]["outcome"], &waited["web2"]["outcome"]),
            (&json!("ok"), &json!("lost")),
            "{waited}"
        );
        assert!(waited["web2"]["why"].as_str().unwrap().contains("is revoked"), "{waited}");
    });

    // Nor does it forget what it knew when the list is gone, or believe an older one.
    let own = fleet.home().join("identity/crl.pem");
    let older = fs::read(&own).unwrap();
    fleet.func(["ca", "revoke", "web1"]).expect(0);
    until("the daemon to heed the list", || (ping()["web1"]["outcome"] == "unreachable").then_some(()));
    fs::write(&own, older).unwrap();
    assert_eq!(ping()["web1"]["outcome"], "unreachable");
}
