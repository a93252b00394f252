//! `func ca rotate` puts another authority in the place of the present one, and calls go on meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use func::fleet::Outcome;
use func::wire::Value;
use serde_json::{Value as Json, json};

use crate::harness::{Answer, Daemon, Door, Fleet, until};
use crate::only_those_who_belong::join;

fn rotate(fleet: &Fleet, words: &[&str]) -> Answer {
    fleet.func([&["ca", "rotate", "--json"], words].concat())
}

#[track_caller]
fn stage(fleet: &Fleet) -> String {
    rotate(fleet, &["--status"]).expect(0).json()["stage"].as_str().unwrap().to_owned()
}

fn copied(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to.to_owned()
}

/// The overlord as it was, with the identity and the inventory that it had.
fn as_it_was(fleet: &Fleet) -> PathBuf {
    let home = fleet.folder().join("before");
    copied(&fleet.home().join("identity"), &home.join("identity"));
    fs::copy(fleet.home().join("inventory.toml"), home.join("inventory.toml")).unwrap();
    home
}

fn ping_as(fleet: &Fleet, home: &Path) -> Answer {
    fleet.command(["ping"]).env("FUNC_HOME", home).output().unwrap().into()
}

#[test]
fn calls_go_on_through_every_stage_and_then_the_old_authority_is_worth_nothing() {
    let fleet = Fleet::start(["web1", "web2"]);
    let before = as_it_was(&fleet);
    let stolen = copied(&fleet.home().join("ca"), &fleet.folder().join("thief/ca"));
    let daemon = Daemon::start(&fleet);
    let (ended, began) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        // Through the daemon, which hears of nothing but its files, all the time.
        let calling = scope.spawn(|| {
            let call = json!({ "target": "*", "method": "test.ping" });
            let (mut calls, mut failures) = (0, Vec::new());
            while !ended.load(Ordering::Relaxed) && began.elapsed() < Duration::from_mins(1) {
                let hosts = daemon.post("/v1/calls", &call, 200)["hosts"].clone();
                calls += 1;
                if ["web1", "web2"].iter().any(|name| hosts[name]["outcome"] != "ok") {
                    failures.push(hosts);
                }
            }
            (calls, failures)
        });
        let job = fleet.func(["call", "*", "test.sleep", "4", "--async", "--no-wait"]).expect(0).out;

        let told = rotate(&fleet, &[]).expect(0).json();
        assert_eq!((&told["stage"], &told["next"]), (&json!("switched"), &json!("func ca rotate --finish")), "{told}");
        assert_eq!(told["hosts"]["web1"], json!({ "told": true, "certificate": "new", "why": null }), "{told}");
        fleet.func(["ping"]).expect(0);
        ping_as(&fleet, &before).expect(0);
        let doctor = fleet.func(["doctor", "--offline"]).out;
        assert!(doctor.contains("is being replaced since") && doctor.contains("--finish"), "{doctor}");
        assert_eq!(rotate(&fleet, &[]).expect(0).json()["stage"], "switched", "once more changes nothing");

        let finished = rotate(&fleet, &["--finish"]).expect(0).json();
        assert_eq!(finished["stage"], "settled", "{finished}");
        fleet.func(["ping"]).expect(0);
        fleet.func(["job", "wait", &job]).expect(0);
        assert_eq!(fleet.status(&job)["status"], "FINISHED");
        // And what the daemon knows by now.
        thread::sleep(Duration::from_millis(1500));
        ended.store(true, Ordering::Relaxed);
        let (calls, failures) = calling.join().unwrap();
        assert!(calls > 10 && failures.is_empty(), "{} of {calls}: {:?}", failures.len(), failures.first());
    });
    let refused = ping_as(&fleet, &before);
    assert!(refused.code != 0 && !refused.out.contains("pong"), "{}", refused.out);

    // Whoever has the old key makes overlords that nobody believes.
    let thief = fleet.folder().join("thief");
    let out = thief.join("identity");
    let issue = ["ca", "issue", "overlord", "--role", "overlord", "--out", out.to_str().unwrap()];
    Answer::from(fleet.command(issue).env("FUNC_HOME", &thief).output().unwrap()).expect(0);
    fs::copy(fleet.home().join("inventory.toml"), thief.join("inventory.toml")).unwrap();
    assert!(stolen.exists() && ping_as(&fleet, &thief).code != 0);
    for file in ["old-ca-key.pem", "next-ca-key.pem", "cross-ca.pem"] {
        assert!(!fleet.home().join("ca").join(file).exists(), "{file}");
    }
    let events = fleet.func(["audit", "show", "--ca", "--json"]).expect(0).out;
    for event in ["rotation-begun", "rotation-switched", "rotation-finished"] {
        assert!(events.contains(event), "{events}");
    }
    fleet.func(["audit", "verify", "--ca"]).expect(0);
}

#[test]
fn a_minion_that_was_down_is_waited_for_and_brought_along_with_the_next_call() {
    let mut fleet = Fleet::start(["web1", "web2"]);
    let authorities = fleet.folder().join("web2/identity/ca.pem");
    let knows = || fs::read_to_string(&authorities).unwrap().contains("FUNC TRUST");
    fleet.minion("web2").stop();
    let waits = rotate(&fleet, &[]).expect(1).json();
    assert_eq!((&waits["stage"], &waits["hosts"]["web2"]["told"]), (&json!("spreading"), &json!(false)), "{waits}");
    assert_eq!(waits["hosts"]["web1"]["told"], true, "{waits}");
    let doctor = fleet.func(["doctor", "--offline"]).out;
    assert!(doctor.contains("waits for web2"), "{doctor}");

    fleet.minion("web2").launch();
    fleet.func(["ping"]).expect(0);
    until("the statement to arrive", || knows().then_some(()));
    // Also when it is left behind: it believes the old authority alone, and is called by the new one's certificates.
    rotate(&fleet, &["--abandon"]).expect(0);
    assert_eq!(stage(&fleet), "settled");
    fleet.minion("web2").stop();
    rotate(&fleet, &[]).expect(1);
    let switched = rotate(&fleet, &["--leave-behind", "web2"]).expect(1).json();
    assert_eq!((&switched["stage"], &switched["hosts"]["web2"]["certificate"]), (&json!("switched"), &json!("old")));
    let refused = rotate(&fleet, &["--finish"]).expect(3);
    assert!(refused.err.contains("web2") && refused.err.contains("--leave-behind"), "{}", refused.err);
    fleet.minion("web2").launch();
    fleet.func(["ping"]).expect(0);
    assert_eq!(rotate(&fleet, &[]).expect(0).json()["hosts"]["web2"]["certificate"], "new");
    rotate(&fleet, &["--finish"]).expect(0);
    fleet.func(["ping"]).expect(0);
}

#[test]
fn who_stays_with_the_old_authority_is_named_and_joins_again() {
    let mut fleet = Fleet::start(["web1", "web2"]);
    let ann = fleet.folder().join("ann");
    fleet.func(["ca", "issue", "ann", "--role", "overlord", "--out", ann.to_str().unwrap()]).expect(0);
    rotate(&fleet, &[]).expect(0);
    let told = rotate(&fleet, &["--status"]).expect(0).json();
    assert_eq!(told["others"], json!(["ann"]), "{told}");
    fleet.minion("web2").stop();
    let old = fleet.folder().join("web2/identity");
    let refused = rotate(&fleet, &["--finish"]).expect(3);
    assert!(refused.err.contains("`ann`") && !refused.err.contains("web2"), "{}", refused.err);
    // It was told of both, and never hears of the end; its certificate is new.
    rotate(&fleet, &["--finish", "--leave-behind", "ann"]).expect(1);
    fleet.minion("web2").launch();
    fleet.func(["ping"]).expect(0);
    until("the last statement", || {
        let text = fs::read_to_string(old.join("ca.pem")).unwrap();
        (text.matches("BEGIN CERTIFICATE").count() == 1).then_some(())
    });
    assert!(fleet.func(["ca", "list"]).expect(0).out.contains("given up"));
}

#[test]
fn a_token_of_before_is_refused_and_one_of_now_is_good() {
    let fleet = Fleet::empty();
    let door = Door::open(&fleet);
    let token = |name: &str| {
        let words = ["ca", "token", "--for", name, "--address", &door.address, "--json"];
        fleet.func(words).expect(0).json()["token"].as_str().unwrap().to_owned()
    };
    let (first, unused) = (token("web1"), token("web2"));
    let home = |name: &str| fleet.folder().join(name);
    join(&home("web1"), &[&first, "--name", "web1"]).expect(0);
    fleet.func(["hosts", "remove", "web1"]).expect(0);
    let told = rotate(&fleet, &[]).expect(0).json();
    assert_eq!((&told["stage"], &told["void_tokens"]), (&json!("switched"), &json!(1)), "{told}");
    // The door that was opened before serves for the authority of now.
    let refused = join(&home("web2"), &[&unused, "--name", "web2"]).expect(4);
    assert!(refused.err.contains("new token") && refused.err.contains("nothing was sent"), "{}", refused.err);
    join(&home("web2"), &[&token("web2"), "--name", "web2"]).expect(0);
    let list = fleet.func(["ca", "list", "--json"]).expect(0).json();
    let issuer = |name: &str| {
        let named = |entry: &&Json| entry["name"] == name;
        list.as_array().unwrap().iter().find(named).unwrap()["issuer"].as_str().unwrap().to_owned()
    };
    assert_eq!(issuer("web2"), told["fingerprint"].as_str().unwrap());
    assert_ne!(issuer("web1"), issuer("web2"));
}

#[test]
fn a_minion_takes_no_statement_of_a_stranger_and_none_that_is_older() {
    let fleet = Fleet::start(["web1"]);
    let stranger = Fleet::empty();
    let statements = |fleet: &Fleet| -> Value {
        let rotation: Json = serde_json::from_slice(&fs::read(fleet.home().join("ca/rotation.json")).unwrap()).unwrap();
        rotation["statements"].as_str().unwrap().into()
    };
    rotate(&stranger, &[]).expect(0);
    let ca = fleet.folder().join("web1/identity/ca.pem");
    let before = fs::read(&ca).unwrap();
    assert_eq!(fleet.failure("web1", "identity.trust", vec![statements(&stranger)]).kind, "Refused");
    assert_eq!(fs::read(&ca).unwrap(), before);
    rotate(&fleet, &[]).expect(0);
    let first = statements(&fleet);
    rotate(&fleet, &["--finish"]).expect(0);
    let after = fs::read(&ca).unwrap();
    let Outcome::Ok(answer) = fleet.ask("web1", "identity.trust", vec![first]) else { panic!("no answer") };
    assert_eq!(answer.to_json()["taken"], false, "{answer:?}");
    assert_eq!(fs::read(&ca).unwrap(), after);
    // Nor is the file of before taken while it runs.
    fs::write(&ca, before).unwrap();
    fleet.func(["ping"]).expect(0);
    until("the minion to say so", || fleet.minions[0].log().contains("older than").then_some(()));
    fleet.func(["ping"]).expect(0);
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let fleet = Fleet::start(["web1"]);
    let kill_at_each_step = |words: &[&str], done: &str| {
        for step in 0..25 {
            let words = [&["ca", "rotate"], words].concat();
            let mut running = fleet.command(words).spawn().unwrap();
            thread::sleep(Duration::from_millis(4 * step));
            let _ = running.kill();
            running.wait().unwrap();
            fleet.func(["ping"]).expect(0);
            if stage(&fleet) == done && step > 3 {
                break;
            }
        }
    };
    kill_at_each_step(&[], "switched");
    rotate(&fleet, &[]).expect(0);
    assert_eq!(stage(&fleet), "switched");
    kill_at_each_step(&["--finish"], "settled");
    if stage(&fleet) != "settled" {
        rotate(&fleet, &["--finish"]).expect(0);
    }
    assert_eq!(stage(&fleet), "settled");
    fleet.func(["ping"]).expect(0);
    fleet.func(["audit", "verify", "--ca"]).expect(0);
    fleet.func(["ca", "issue", "bob", "--role", "overlord"]).expect(0);
}

#[test]
fn an_overlord_killed_between_its_new_key_and_its_new_certificate_calls_with_both() {
    let fleet = Fleet::start(["web1"]);
    let (identity, fresh) = (fleet.home().join("identity"), fleet.folder().join("fresh"));
    fleet.func(["ca", "issue", "bob", "--role", "overlord", "--out", fresh.to_str().unwrap()]).expect(0);
    fs::rename(fresh.join("key.pem"), identity.join("key.pem")).unwrap();
    fs::rename(fresh.join("cert.pem"), identity.join("next-cert.pem")).unwrap();
    fleet.func(["ping"]).expect(0);
    assert!(!identity.join("next-cert.pem").exists());
}

#[test]
fn a_revocation_meanwhile_is_signed_by_each_and_heeded() {
    let fleet = Fleet::start(["web1"]);
    let operator = |name: &str| {
        let home = fleet.folder().join(name);
        let out = home.join("identity");
        fleet.func(["ca", "issue", name, "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
        fs::copy(fleet.home().join("inventory.toml"), home.join("inventory.toml")).unwrap();
        home
    };
    let ann = operator("ann");
    rotate(&fleet, &[]).expect(0);
    let bob = operator("bob");
    for (name, home) in [("ann", &ann), ("bob", &bob)] {
        ping_as(&fleet, home).expect(0);
        let told = fleet.func(["ca", "revoke", name, "--json"]).expect(0).json();
        assert_eq!(told["delivered"], json!(["web1"]), "{told}");
        let refused = ping_as(&fleet, home);
        assert!(refused.code != 0 && refused.out.contains("revoked"), "{}", refused.out);
    }
    // `ann` is revoked and so not in the way.
    rotate(&fleet, &["--finish"]).expect(0);
    fleet.func(["ping"]).expect(0);
    assert_ne!(ping_as(&fleet, &bob).code, 0);
    fleet.func(["ca", "revoke", "bob"]).expect(0);
}
