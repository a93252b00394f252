//! `func sim N`: many minions behind one listener, the same server, calls and jobs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::harness::{Simulation, skip};

#[test]
fn every_simulated_host_shows_its_own_certificate_and_answers() {
    let simulation = Simulation::start(200);
    let answer = simulation.func(&["call", "*", "test.add", "40", "2", "--json"]).expect(0).json();
    assert_eq!(answer["summary"]["ok"], 200);
    assert_eq!(answer["summary"]["total"], 200);
    assert!(answer["hosts"].as_object().unwrap().values().all(|host| host["value"] == 42));
}

#[test]
fn a_job_over_a_simulated_fleet_finishes() {
    let simulation = Simulation::start(50);
    let answer = simulation.func(&["call", "*", "test.ping", "--async", "--json"]).expect(0).json();
    assert_eq!(answer["status"], "FINISHED");
    assert_eq!(answer["summary"]["ok"], 50, "{answer}");
}

#[test]
fn on_a_terminal_it_is_told_how_far_a_call_is_and_elsewhere_only_what_came_of_it() {
    if let Err(why) = Simulation::terminals() {
        return skip("on_a_terminal_it_is_told_how_far_a_call_is_and_elsewhere_only_what_came_of_it", why);
    }
    let simulation = Simulation::start(4);
    let bar = "0/4 0s waiting for sim[1-4]";
    for more in ["", "--async"] {
        let shown = simulation.on_a_terminal(&format!("call '*' test.sleep 1 --yes {more}"), "").expect(0);
        assert!(shown.out.contains(bar) && shown.out.contains("4 ok: 4 hosts"), "{}", shown.out);
    }
    let piped = simulation.func(&["call", "*", "test.sleep", "1"]).expect(0);
    assert!(!piped.err.contains('\x1b') && !piped.err.contains("waiting"), "{}", piped.err);
}

#[test]
fn what_was_raised_to_serve_so_many_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!("ulimit -S -n 200; exec {} sim 2 --dir {}", env!("CARGO_BIN_EXE_func"), folder.path().display());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut simulation = command.spawn().unwrap();
    let said = BufReader::new(simulation.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = said.inspect(|line| println!("{line}")).find(|line| line.contains("raised the limit of open files"));
    simulation.kill().unwrap();
    simulation.wait().unwrap();
    assert!(said.is_some_and(|said| said.contains("was=200")));
}
