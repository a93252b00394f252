//! Daemons, workers and connections die; what became of a job is known all the same.

use std::fs;

use func::{fleet::Outcome, wire::Value};
use nix::sys::signal::{Signal, kill};

use crate::harness::{Fleet, Gate, guest, until};

/// A fleet of one or two minions at whose gates jobs wait.
fn gated<const N: usize>(names: [&str; N]) -> (Fleet, [Gate; N]) {
    let mut fleet = Fleet::empty();
    let gates = names.map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in names.iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    (fleet, gates)
}

/// Starts a job at the gates, and waits until it runs on every minion.
fn start(fleet: &Fleet, gates: &[Gate]) -> String {
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    for gate in gates {
        until("the job to run", || (!gate.lines().is_empty()).then_some(()));
    }
    job
}

fn minion_job(fleet: &Fleet, job: &str, minion: &str) -> String {
    fleet.status(job)["hosts"][minion]["minion_job"].as_str().unwrap().to_owned()
}

#[test]
fn a_worker_outlives_its_daemon_and_the_restarted_daemon_has_the_result() {
    let (mut fleet, gates) = gated(["m1"]);
    let job = start(&fleet, &gates);
    fleet.minion("m1").kill();
    gates[0].open("done without you");
    until("the worker's end", || fleet.minion("m1").processes().is_empty().then_some(()));
    fleet.minion("m1").launch();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(waited["hosts"]["m1"]["result"]["value"], "done without you");
    assert_eq!(gates[0].lines(), ["ran"]);
}

#[test]
fn a_minion_that_is_down_leaves_the_job_partial_and_its_result_arrives_later() {
    let (mut fleet, gates) = gated(["m1", "m2"]);
    let job = start(&fleet, &gates);
    fleet.minion("m2").kill();
    for gate in &gates {
        gate.open("passed");
    }
    until("the first result", || (fleet.status(&job)["hosts"]["m1"]["state"] == "FINISHED").then_some(()));
    let status = fleet.status(&job);
    assert_eq!(status["status"], "PARTIAL", "{status}");
    assert_ne!(status["hosts"]["m2"]["state"], "FINISHED", "a refused poll became a result: {status}");
    fleet.minion("m2").launch();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(waited["status"], "FINISHED");
    assert_eq!(waited["hosts"]["m2"]["result"]["value"], "passed");
}

#[test]
fn a_killed_worker_is_reported_lost_and_not_running_for_ever() {
    let (mut fleet, gates) = gated(["m1"]);
    let job = start(&fleet, &gates);
    let id = minion_job(&fleet, &job, "m1");
    let worker = fleet.minion("m1").worker(&id).expect("a worker that names its job");
    kill(worker, Signal::SIGKILL).unwrap();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(1).json();
    assert_eq!(waited["hosts"]["m1"]["result"]["outcome"], "lost", "{waited}");
}

#[test]
fn a_record_that_cannot_be_read_for_a_while_loses_no_job() {
    let (mut fleet, gates) = gated(["m1"]);
    let job = start(&fleet, &gates);
    let id = minion_job(&fleet, &job, "m1");
    fleet.kill_background();
    gates[0].open("still here");
    until("the job's end on the minion", || match fleet.ask("m1", "jobs.open_ids", vec![]) {
        Outcome::Ok(Value::Struct(jobs)) => (jobs.get(&id) == Some(&1.into())).then_some(()),
        other => panic!("{other:?}"),
    });
    let journal = fleet.minion("m1").home.join("jobs").join(&id);
    let (away, blocked) = (journal.with_extension("away"), journal.with_extension("blocked"));
    fs::rename(&journal, &away).unwrap();
    fs::create_dir(&journal).unwrap();
    let status = fleet.status(&job);
    assert_eq!(status["status"], "PARTIAL", "a failure of the minion's own became the job's end: {status}");
    fs::rename(&journal, &blocked).unwrap();
    fs::rename(&away, &journal).unwrap();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(waited["hosts"]["m1"]["result"]["value"], "still here");
}

#[test]
fn the_next_job_runs_after_the_fork_server_was_killed() {
    let (mut fleet, gates) = gated(["m1"]);
    gates[0].open("open");
    fleet.func(["call", "m1", "rogue.pass_gate", "first", "--async"]).expect(0);
    let old = fleet.minion("m1").fork_server().expect("a fork server");
    kill(old, Signal::SIGKILL).unwrap();
    let answer = fleet.func(["call", "m1", "rogue.pass_gate", "second", "--async", "--json"]).expect(0).json();
    assert_eq!(answer["hosts"]["m1"]["result"]["value"], "open");
    assert_eq!(gates[0].lines(), ["first", "second"]);
    let new = until("another fork server", || fleet.minion("m1").fork_server().filter(|new| *new != old));
    assert_ne!(new, old);
}

#[test]
fn a_stopped_minion_lets_its_calls_finish_and_its_workers_live() {
    let (mut fleet, gates) = gated(["m1"]);
    let job = start(&fleet, &gates);
    let id = minion_job(&fleet, &job, "m1");
    fleet.minion("m1").stop();
    assert!(fleet.minion("m1").worker(&id).is_some());
    gates[0].open("later");
    fleet.minion("m1").launch();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(waited["hosts"]["m1"]["result"]["value"], "later");
}
