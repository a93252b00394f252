//! The status of one successful call over time, as the protocol's table has it:
//!
//! | step | overlord | minion 1 | minion 2 |
//! | --- | --- | --- | --- |
//! | 1 | RUNNING | – | – |
//! | 2 | RUNNING | RUNNING | – |
//! | 3 | PARTIAL | RUNNING | RUNNING |
//! | 4 | PARTIAL | FINISHED | RUNNING |
//! | 5 | PARTIAL | FINISHED | FINISHED |
//! | 6 | FINISHED | FINISHED | FINISHED |

use std::fs;

use func::fleet::Outcome;
use func::wire::Value;
use serde_json::Value as Json;

use crate::harness::{Fleet, Gate, Minion, guest, until};

/// The overlord's word for the job, from its store alone.
fn stored(fleet: &Fleet, job: &str) -> String {
    fleet.stored(job)["status"].as_str().unwrap().to_owned()
}

/// The minion's own code for its job: none when it has never heard of it.
fn on_minion(fleet: &Fleet, minion: &str, status: &Json) -> Option<i64> {
    let folder = fleet.folder().join(minion).join("jobs");
    let id = status["hosts"][minion]["minion_job"].as_str().unwrap();
    if !fs::exists(folder.join(id)).unwrap() {
        return None;
    }
    match fleet.ask(minion, "jobs.job_status", vec![id.into()]) {
        Outcome::Ok(Value::Array(answer)) => match answer[0] {
            Value::Int(code) => Some(code),
            _ => panic!("{answer:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_step_of_the_table_is_seen() {
    let mut fleet = Fleet::empty();
    let gates = ["m1", "m2"].map(|name| Gate::new(fleet.folder(), name));
    for (name, gate) in ["m1", "m2"].iter().zip(&gates) {
        fleet.add_with(name, &gate.settings(), &[&guest("rogue")]);
    }

    // 1: nobody has heard of it.
    fleet.minions.iter().for_each(Minion::freeze);
    let call = ["call", "m1;m2", "rogue.pass_gate", "--async", "--no-wait", "--forks", "1"];
    let job = fleet.func(call).expect(0).out;
    let status = fleet.stored(&job);
    assert_eq!(status["status"], "RUNNING");
    assert!(gates.iter().all(|gate| gate.lines().is_empty()));
    let id = |minion: &str| status["hosts"][minion]["minion_job"].as_str().unwrap().to_owned();
    for minion in ["m1", "m2"] {
        assert!(!fs::exists(fleet.folder().join(minion).join("jobs").join(id(minion))).unwrap());
    }

    // 2: the first minion has it, the second not yet.
    fleet.minion("m1").thaw();
    until("the first minion's job", || (gates[0].lines() == ["ran"]).then_some(()));
    assert_eq!(stored(&fleet, &job), "RUNNING");
    assert_eq!(on_minion(&fleet, "m1", &status), Some(0));
    assert!(!fs::exists(fleet.folder().join("m2/jobs").join(id("m2"))).unwrap());

    // 3: both have it.
    fleet.minion("m2").thaw();
    until("both jobs", || (gates[1].lines() == ["ran"]).then_some(()));
    until("the end of the fan-out", || (stored(&fleet, &job) == "PARTIAL").then_some(()));
    assert_eq!(on_minion(&fleet, "m1", &status), Some(0));
    assert_eq!(on_minion(&fleet, "m2", &status), Some(0));
    // From here on nobody but this test asks the minions.
    fleet.kill_background();

    // 4: the first is done, and the overlord holds its result.
    gates[0].open("one");
    until("the first result", || (on_minion(&fleet, "m1", &status) == Some(1)).then_some(()));
    let partial = fleet.status(&job);
    assert_eq!(partial["status"], "PARTIAL");
    assert_eq!(partial["hosts"]["m1"]["result"]["value"], "one");
    assert_eq!(partial["hosts"]["m2"]["minion_job"], id("m2"), "a partial result overwrote the map");
    assert_eq!(on_minion(&fleet, "m2", &status), Some(0));

    // 5: both are done; the overlord has not asked yet.
    gates[1].open("two");
    until("the second result", || (on_minion(&fleet, "m2", &status) == Some(1)).then_some(()));
    assert_eq!(stored(&fleet, &job), "PARTIAL");

    // 6: it asks, and is finished.
    let finished = fleet.status(&job);
    assert_eq!(finished["status"], "FINISHED");
    assert_eq!(finished["hosts"]["m1"]["result"]["value"], "one");
    assert_eq!(finished["hosts"]["m2"]["result"]["value"], "two");
    assert_eq!(stored(&fleet, &job), "FINISHED");
    assert!(gates.iter().all(|gate| gate.lines() == ["ran"]), "each ran once");
}
