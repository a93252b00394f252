//! The overlord is killed in the middle of handing out a job; going on runs nothing twice.

use std::process::Stdio;

use crate::harness::{Fleet, Gate, Way, guest, until};

fn gated() -> (Fleet, [Gate; 3]) {
    let mut fleet = Fleet::empty();
    let names = ["m1", "m2", "m3"];
    let gates = names.map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in names.iter().zip(&gates) {
        gate.open("passed");
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    (fleet, gates)
}

fn only_job(fleet: &Fleet) -> serde_json::Value {
    let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
    assert_eq!(jobs.as_array().unwrap().len(), 1, "{jobs}");
    jobs[0].clone()
}

/// Goes on with the job and checks that every host ran exactly once.
fn resume_and_count(fleet: &Fleet, job: &str, gates: &[Gate]) {
    let resumed = fleet.func(["job", "resume", job, "--json"]).expect(0).json();
    assert_eq!(resumed["status"], "FINISHED", "{resumed}");
    assert_eq!(resumed["summary"]["ok"], 3, "{resumed}");
    for gate in gates {
        assert_eq!(gate.lines(), ["ran"]);
    }
}

#[test]
fn an_overlord_killed_in_mid_fan_out_is_resumed() {
    let (mut fleet, gates) = gated();
    fleet.minion("m2").freeze();
    let mut overlord = fleet
        .command(["call", "*", "rogue.pass_gate", "--async", "--forks", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the first host's run", || (gates[0].lines() == ["ran"]).then_some(()));
    // The second submission hangs: it is recorded as sent before its first byte leaves.
    until("the second host to be under way", || {
        let id = only_job(&fleet)["id"].as_str()?.to_owned();
        (fleet.stored(&id)["hosts"]["m2"]["state"] == "SENT").then_some(())
    });
    overlord.kill().unwrap();
    overlord.wait().unwrap();
    let job = only_job(&fleet);
    assert_eq!(job["interrupted"], true, "{job}");
    fleet.minion("m2").thaw();
    resume_and_count(&fleet, job["id"].as_str().unwrap(), &gates);
}

#[test]
fn a_detached_fan_out_that_is_killed_shows_as_interrupted_and_is_resumed() {
    let (mut fleet, gates) = gated();
    fleet.minion("m2").freeze();
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait", "--forks", "1"]).expect(0).out;
    until("the first host's run", || (gates[0].lines() == ["ran"]).then_some(()));
    assert_eq!(only_job(&fleet)["interrupted"], false);
    fleet.kill_background();
    assert_eq!(only_job(&fleet)["interrupted"], true);
    let shown = fleet.func(["job", "status", &job]).expect(7);
    assert!(
        shown.out.contains("interrupted") && shown.out.contains(&format!("func job resume '{job}'")),
        "{}",
        shown.out
    );
    fleet.minion("m2").thaw();
    resume_and_count(&fleet, &job, &gates);
}

#[test]
fn resuming_a_job_that_somebody_is_handing_out_is_refused() {
    let (mut fleet, gates) = gated();
    fleet.minion("m2").freeze();
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait", "--forks", "1"]).expect(0).out;
    until("the first host's run", || (gates[0].lines() == ["ran"]).then_some(()));
    let refused = fleet.func(["job", "resume", &job]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("another process"), "{}", refused.err);
    fleet.minion("m2").thaw();
    fleet.func(["job", "wait", &job]).expect(0);
    assert!(gates.iter().all(|gate| gate.lines() == ["ran"]));
}

#[test]
fn a_part_that_ran_before_the_overlord_heard_of_it_does_not_run_again() {
    let (mut fleet, gates) = gated();
    let way = Way::to(fleet.minion("m2").address);
    fleet.func(["hosts", "set", "m2", &way.address().to_string()]).expect(0);
    let mut overlord = fleet
        .command(["call", "*", "rogue.pass_gate", "--async", "--forks", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the second host's run", || (gates[1].lines() == ["ran"]).then_some(()));
    let job = only_job(&fleet)["id"].as_str().unwrap().to_owned();
    // The minion's answer is on its way for ever.
    assert_eq!(fleet.stored(&job)["hosts"]["m2"]["state"], "SENT");
    overlord.kill().unwrap();
    overlord.wait().unwrap();
    assert_eq!(only_job(&fleet)["interrupted"], true);
    assert!(gates[2].lines().is_empty());
    way.open();
    resume_and_count(&fleet, &job, &gates);
}
