//! `func sim N`: many minions behind one listener, the same server, calls and jobs.

use crate::harness::Simulation;

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
