//! Ctrl-C while a job is waited for or handed out ends the command, never the job, and says how to come back; a second one
//! cancels the job.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Answer, Fleet, Gate, guest, until};

fn gated(names: &[&str]) -> (Fleet, Vec<Gate>) {
    let mut fleet = Fleet::empty();
    let gates: Vec<Gate> = names.iter().map(|name| Gate::new(fleet.folder(), name)).collect();
    for (name, gate) in names.iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    (fleet, gates)
}

fn start(fleet: &Fleet, words: &[&str]) -> Child {
    fleet.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Whether a process has a handler for SIGINT: before that it would simply die.
fn heeds_interrupts(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (Signal::SIGINT as u64 - 1) != 0
}

fn press(child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
}

fn interrupt(child: Child) -> Answer {
    until("a handler for Ctrl-C", || heeds_interrupts(&child).then_some(()));
    press(&child);
    Answer::from(child.wait_with_output().unwrap())
}

#[test]
fn a_job_that_is_waited_for_goes_on() {
    let (fleet, gates) = gated(&["m1"]);
    let call = start(&fleet, &["call", "m1", "rogue.pass_gate", "--async"]);
    until("the run", || (gates[0].lines() == ["ran"]).then_some(()));
    let jobs = || fleet.func(["job", "list", "--json"]).expect(0).json();
    until("the end of the fan-out", || (jobs()[0]["status"] == "PARTIAL").then_some(()));
    let id = jobs()[0]["id"].as_str().unwrap().to_owned();
    let back = format!("func job wait '{id}'");
    let left = interrupt(call).expect(7);
    assert!(left.err.contains("the job goes on") && left.err.contains(&back), "{}", left.err);
    let left = interrupt(start(&fleet, &["job", "wait", &id, "--json"])).expect(7);
    assert!(left.err.contains(&back), "{}", left.err);
    assert_eq!(left.json()["status"], "PARTIAL");
    gates[0].open("passed");
    assert!(fleet.func(["job", "wait", &id]).expect(0).out.contains("passed"));
    assert_eq!(gates[0].lines(), ["ran"]);
}

#[test]
fn a_job_that_is_being_handed_out_says_how_to_go_on() {
    let (mut fleet, gates) = gated(&["m1", "m2"]);
    for gate in &gates {
        gate.open("passed");
    }
    fleet.minion("m2").freeze();
    let call = start(&fleet, &["call", "*", "rogue.pass_gate", "--async", "--forks", "1"]);
    until("the first host's run", || (gates[0].lines() == ["ran"]).then_some(()));
    let left = interrupt(call).expect(7);
    let id = fleet.func(["job", "list", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    assert!(left.err.contains(&format!("func job resume '{id}'")), "{}", left.err);
    fleet.minion("m2").thaw();
    fleet.func(["job", "resume", &id]).expect(0);
    assert!(gates.iter().all(|gate| gate.lines() == ["ran"]));
}

#[test]
fn a_second_one_cancels_the_job() {
    let (fleet, gates) = gated(&["m1"]);
    let mut call = start(&fleet, &["call", "m1", "rogue.pass_gate", "--async"]);
    until("the run", || (gates[0].lines() == ["ran"]).then_some(()));
    let mut told = BufReader::new(call.stderr.take().unwrap()).lines().map(Result::unwrap);
    press(&call);
    assert!(told.any(|line| line.contains("Ctrl-C within") && line.contains("cancels it")));
    press(&call);
    let cancelled = Answer::from(call.wait_with_output().unwrap()).expect(1);
    assert!(cancelled.out.contains("1 cancelled: 1 host"), "{}", cancelled.out);
    gates[0].open("too late");
    let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
    assert_eq!((&jobs[0]["status"], &jobs[0]["summary"]["cancelled"]), (&"FINISHED".into(), &1.into()), "{jobs}");
}

#[test]
fn one_in_the_submission_sends_nothing_and_names_the_job() {
    let (fleet, gates) = gated(&["m1"]);
    gates[0].open("passed");
    fleet.func(["call", "m1", "rogue.pass_gate", "before", "--async"]).expect(0);
    // Somebody else is at the store: the job is about to be written down, and cannot be yet.
    let store = std::fs::File::open(fleet.home().join("store/store.lock")).unwrap();
    store.lock().unwrap();
    let call = start(&fleet, &["call", "m1", "rogue.pass_gate", "--async"]);
    until("a handler for Ctrl-C", || heeds_interrupts(&call).then_some(()));
    press(&call);
    store.unlock().unwrap();
    let left = Answer::from(call.wait_with_output().unwrap()).expect(7);
    let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
    let id = jobs[1]["id"].as_str().unwrap();
    assert!(left.err.contains(&format!("job {id}")), "{}", left.err);
    assert!(left.err.contains(&format!("func job resume '{id}'")), "{}", left.err);
    assert!(gates[0].lines() == ["before"] && jobs[1]["interrupted"] == true, "{jobs}");
    fleet.func(["job", "resume", id]).expect(0);
    assert_eq!(gates[0].lines(), ["before", "ran"]);
}
