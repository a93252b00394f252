//! What a minion wrote down cannot be changed unnoticed, and nobody fills its disk by being denied.

use std::fs;

use func::tls::Role;
use func::wire::{Answer as Said, Call, encode_call};
use nix::sys::signal::{Signal, kill};

use crate::client::{Client, identity};
use crate::harness::{Answer, Fleet, until};

fn on(fleet: &Fleet, words: &[&str]) -> Answer {
    fleet.command(words).env("FUNC_HOME", fleet.folder().join("m1")).output().unwrap().into()
}

#[test]
fn a_log_that_was_touched_is_told_from_one_that_was_not() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "[grants.x]\n", &[]);
    for _ in 0..3 {
        fleet.ask("m1", "system.list_modules", vec![]);
    }
    let head = fleet.func(["audit", "head", "m1", "--json"]).expect(0).json()["hosts"]["m1"]["value"].clone();
    let head = head.as_str().unwrap();
    // A change of what is allowed is in the log, and a start, a crash and a stop are.
    let toml = fleet.folder().join("m1/minion.toml");
    let good = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, good.replace("[grants.x]", "[grants.x]\nread = [\"/srv/**\"]")).unwrap();
    let log = fleet.folder().join("m1/audit.jsonl");
    let shows = |fleet: &Fleet, words: &[&str]| {
        on(fleet, &[&["audit", "show", "--log", log.to_str().unwrap()], words].concat()).expect(0)
    };
    until("the reload", || shows(&fleet, &["--outcome", "grant"]).out.contains("/srv/**").then_some(()));
    fs::write(&toml, "nonsense").unwrap();
    until("the refusal", || shows(&fleet, &["--outcome", "reload-refused"]).out.contains("minion.toml").then_some(()));
    fs::write(&toml, &good).unwrap();
    fleet.minion("m1").kill();
    fleet.minion("m1").launch();
    fleet.ask("m1", "system.ping", vec![]);
    let verified = on(&fleet, &["audit", "verify", "--head", head, "--json"]).expect(0).json();
    assert_eq!(verified["findings"], serde_json::json!([]));
    fleet.minion("m1").stop();
    let shown = shows(&fleet, &["--json"]).json();
    let events: Vec<_> = shown.as_array().unwrap().iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events.iter().filter(|event| **event == "started").count(), 2, "{events:?}");
    assert_eq!(events.last(), Some(&"stopped"));
    let calls = shows(&fleet, &["--caller", "over*", "--method", "system.list_*", "--json"]).json();
    assert_eq!(calls.as_array().unwrap().len(), 3);

    let good = fs::read_to_string(&log).unwrap();
    fs::write(&log, good.replacen("system.list_modules", "system.list_methods", 1)).unwrap();
    let told = on(&fleet, &["audit", "verify"]).expect(1);
    assert!(told.out.contains("was altered") && told.out.contains("not as they were written"), "{}", told.out);
    let shorter = good.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&log, format!("{shorter}\n")).unwrap();
    assert!(on(&fleet, &["audit", "verify"]).expect(1).out.contains("the end is cut off: 1 lines"));
    // The next start goes on, and the gap stays visible.
    fleet.minion("m1").launch();
    fleet.minion("m1").stop();
    let told = on(&fleet, &["audit", "verify"]).expect(1).out;
    assert!(told.contains("1 lines were missing when the log was opened"), "{told}");
}

#[test]
fn a_flood_of_denials_is_counted_and_the_minion_serves_on() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[]);
    let eve = Client::of(&fleet, &identity(&fleet, Role::Minion));
    let ping = encode_call(&Call::new("system.ping", vec![]));
    for _ in 0..60 {
        assert!(matches!(eve.post(ping.as_bytes()).unwrap().answer, Said::Fault(_)));
    }
    fleet.minion("m1").stop();
    let lines = on(&fleet, &["audit", "show", "--outcome", "denied", "--json"]).expect(0).json();
    let (single, sums): (Vec<_>, Vec<_>) = lines.as_array().unwrap().iter().partition(|line| line["event"].is_null());
    assert_eq!((single.len(), sums.len()), (20, 1), "{sums:?}");
    assert_eq!((&sums[0]["count"], &sums[0]["caller"]), (&40.into(), &"caller".into()));
    on(&fleet, &["audit", "verify"]).expect(0);
}

#[test]
fn two_minions_do_not_write_one_log() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[]);
    let second = on(&fleet, &["minion", "--listen", "127.0.0.1:0"]).expect(3);
    assert!(second.err.contains("another process writes this audit log"), "{}", second.err);
    kill(fleet.minion("m1").pid(), Signal::SIGTERM).unwrap();
}

#[test]
fn what_was_done_at_the_authority_is_held_against_its_chain_too() {
    let fleet = Fleet::empty();
    fleet.func(["ca", "token", "--for", "web1"]).expect(0);
    let head = fleet.func(["audit", "verify", "--ca", "--json"]).expect(0).json()["head"].as_str().unwrap().to_owned();
    fleet.func(["ca", "issue", "ann", "--role", "author"]).expect(0);
    fleet.func(["audit", "verify", "--ca", "--head", &head]).expect(0);
    assert!(fleet.func(["audit", "show", "--ca", "--outcome", "token-made"]).expect(0).out.contains("web1"));
    let log = fleet.home().join("ca/audit.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replace("\"ann\"", "\"eve\"")).unwrap();
    assert!(fleet.func(["audit", "verify", "--ca"]).expect(1).out.contains("was altered"));
}
