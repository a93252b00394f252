//! A host that is stopped, or cut off, costs its own time; the others are on time, and its job completes when it is back.

use std::time::{Duration, Instant};

use crate::harness::{Fleet, Gate, Partition, guest, until};

#[test]
fn one_stopped_among_eight_costs_its_deadline_and_no_more() {
    let mut fleet = Fleet::empty();
    for number in 1..=8 {
        fleet.add_with(&format!("m{number}"), "", &[]);
    }
    fleet.func(["ping", "*"]).expect(0);
    fleet.minion("m3").freeze();
    let deadline = Duration::from_secs(3);
    // One after the other, so that all that come after the stopped one would have to wait for it.
    for forks in ["100", "1"] {
        let began = Instant::now();
        let ended =
            fleet.func(["call", "*", "system.list_modules", "--timeout", "3s", "--forks", forks, "--json"]).expect(1);
        let took = began.elapsed();
        let ended = ended.json();
        assert_eq!((&ended["summary"]["ok"], &ended["summary"]["total"]), (&7.into(), &8.into()), "{ended}");
        let outcome = &ended["hosts"]["m3"]["outcome"];
        assert!(*outcome == "unreachable" || *outcome == "timed out", "{ended}");
        assert!(took >= deadline && took < 2 * deadline + Duration::from_secs(5), "{took:?}");
    }
    fleet.minion("m3").thaw();
}

#[test]
fn a_host_that_is_cut_off_leaves_its_job_partial_until_the_line_is_back() {
    let mut fleet = Fleet::empty();
    let gates = ["m1", "m2"].map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in ["m1", "m2"].iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }
    let line = Partition::to(fleet.minion("m2").address);
    fleet.func(["hosts", "set", "m2", &line.address().to_string()]).expect(0);
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    for gate in &gates {
        until("the job to run", || (!gate.lines().is_empty()).then_some(()));
    }
    line.cut();
    for gate in &gates {
        gate.open("passed");
    }
    until("the first result", || (fleet.stored(&job)["hosts"]["m1"]["state"] == "FINISHED").then_some(()));
    let began = Instant::now();
    let status = fleet.status(&job);
    assert!(began.elapsed() < Duration::from_secs(10), "looking at it hangs");
    assert_eq!((&status["status"], &status["summary"]["open"]), (&"PARTIAL".into(), &1.into()), "{status}");
    assert!(status["hosts"]["m2"]["unasked"].is_string(), "{status}");
    line.heal();
    let waited = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!((&waited["status"], &waited["summary"]["ok"]), (&"FINISHED".into(), &2.into()), "{waited}");
    assert!(gates.iter().all(|gate| gate.lines() == ["ran"]));
}
