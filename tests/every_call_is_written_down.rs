//! Every call to a module is in the minion's audit log, also the one that ends the daemon.

use std::thread;

use func::wire::Value;

use crate::harness::{Fleet, Gate, guest, until};

#[test]
fn a_call_that_ends_the_daemon_is_in_the_log() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]);
    let mut minion = fleet.minions.remove(0);
    thread::scope(|scope| {
        let call = scope.spawn(|| fleet.ask("m1", "rogue.pass_gate", vec!["fatal".into()]));
        until("the call to be in flight", || (gate.lines() == ["fatal"]).then_some(()));
        minion.kill();
        call.join().unwrap();
    });
    let lines = fleet.whole_audit("m1", "rogue.pass_gate");
    let [begun] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(begun["outcome"], "begun");
    assert_eq!((&begun["caller"], &begun["args"]), (&"overlord".into(), &r#"["fatal"]"#.into()));
    assert!(begun["call"].is_string() && begun["digest"].is_string(), "{begun}");
}

#[test]
fn the_beginning_of_a_call_and_what_came_of_it_carry_one_id() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[&guest("rogue")]);
    fleet.ask("m1", "rogue.hold", vec![Value::Int(0)]);
    fleet.ask("m1", "rogue.recurse", vec![]);
    let job = fleet.ask("m1", "async.rogue.hold", vec![Value::Int(1)]);
    let mut calls = Vec::new();
    for (method, outcome) in [("rogue.hold", "ok"), ("rogue.recurse", "failed"), ("async.rogue.hold", "accepted")] {
        let lines = fleet.whole_audit("m1", method);
        let [begun, ended] = &lines[..] else { panic!("{method}: {lines:?}") };
        assert_eq!((&begun["outcome"], &ended["outcome"]), (&"begun".into(), &outcome.into()));
        assert!(begun["call"].is_string() && begun["call"] == ended["call"], "{lines:?}");
        calls.push(begun["call"].clone());
    }
    calls.dedup();
    assert_eq!(calls.len(), 3);
    assert_eq!(job, func::fleet::Outcome::Ok(fleet.audit("m1", "async.rogue.hold")[0]["job"].as_str().unwrap().into()));
    // What runs nothing of a module has one line.
    fleet.ask("m1", "system.ping", vec![]);
    assert_eq!(fleet.whole_audit("m1", "system.ping").len(), 1);
}
