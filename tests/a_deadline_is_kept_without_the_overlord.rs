//! The deadline travels with a call: its minion ends it in time, whatever has become of the command that made it.

use std::process::{Child, Stdio};

use func::fleet::Outcome;
use func::wire::Value;

use crate::harness::{Fleet, Gate, guest, until};

fn gated() -> (Fleet, Gate) {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]);
    (fleet, gate)
}

/// Starts a command and kills it as soon as its call runs.
fn kill_once_it_runs(fleet: &Fleet, gate: &Gate, words: &[&str]) {
    let mut command: Child = fleet.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the call to run", || (!gate.lines().is_empty()).then_some(()));
    command.kill().unwrap();
    command.wait().unwrap();
}

#[test]
fn a_plain_call_ends_in_time_and_counts_as_timed_out() {
    let (fleet, gate) = gated();
    kill_once_it_runs(&fleet, &gate, &["call", "m1", "rogue.pass_gate", "--timeout", "3s"]);
    // The gate stays closed: only the deadline ends the call.
    let ended = until("the end of the call", || fleet.audit("m1", "rogue.pass_gate").pop());
    let error = ended["error"].as_str().unwrap_or_default().to_owned();
    assert!(ended["outcome"] == "failed" && error.contains("TimedOut"), "{ended}");
    let watched = fleet.func(["call", "m1", "rogue.pass_gate", "--timeout", "3s", "--json"]).expect(1).json();
    assert_eq!((&watched["summary"]["timed_out"], &watched["summary"]["total"]), (&1.into(), &1.into()), "{watched}");
}

#[test]
fn a_job_ends_in_time_and_is_found_so() {
    let (fleet, gate) = gated();
    kill_once_it_runs(&fleet, &gate, &["call", "m1", "rogue.pass_gate", "--async", "--job-timeout", "3s"]);
    until("the end of the job", || match fleet.ask("m1", "jobs.open_ids", vec![]) {
        Outcome::Ok(Value::Struct(jobs)) => jobs.values().all(|status| *status == Value::Int(1)).then_some(()),
        other => panic!("{other:?}"),
    });
    let id = fleet.func(["job", "list", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    let found = fleet.func(["job", "resume", &id, "--json"]).expect(1).json();
    assert_eq!((&found["summary"]["timed_out"], &found["summary"]["total"]), (&1.into(), &1.into()), "{found}");
    assert_eq!(gate.lines(), ["ran"]);
}
