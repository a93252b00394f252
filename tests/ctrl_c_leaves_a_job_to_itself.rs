//! Ctrl-C while a job is waited for or handed out ends the command, never the job, and says how to come back.

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

fn interrupt(child: Child) -> Answer {
    until("a handler for Ctrl-C", || heeds_interrupts(&child).then_some(()));
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
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
