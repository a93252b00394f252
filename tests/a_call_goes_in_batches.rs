//! A call or a job goes over the fleet in batches, a few hosts first, and stops when too many fail; what was left out is
//! counted and can be made up for.

use serde_json::Value;

use crate::harness::Simulation;

/// Six hosts, of which the second cannot be reached.
fn with_one_gone() -> (Simulation, String) {
    let simulation = Simulation::start(6);
    let hosts = simulation.func(&["hosts", "--json"]).expect(0).json();
    let address = hosts.to_string().split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    simulation.func(&["hosts", "set", "sim2", "127.0.0.1:1"]).expect(0);
    (simulation, format!("127.0.0.1:{address}"))
}

/// The counts of a census that are not zero.
fn counts(answer: &Value) -> String {
    let summary = answer["summary"].as_object().unwrap();
    let named = summary.iter().filter(|(_, count)| **count != 0);
    named.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn plain_calls_and_jobs_stop_at_the_same_place() {
    let (simulation, _) = with_one_gone();
    for (options, expected) in [
        (vec!["--canary", "1", "--batch", "50%"], "ok 5, total 6, unreachable 1"),
        (vec!["--canary", "2"], "ok 1, skipped 4, total 6, unreachable 1"),
        (vec!["--batch", "2", "--pause", "100ms", "--max-fail", "0"], "ok 1, skipped 4, total 6, unreachable 1"),
        (vec!["--forks", "1", "--max-fail", "10%"], "ok 1, skipped 4, total 6, unreachable 1"),
        (vec!["--batch", "3", "--max-fail", "1", "--retry", "1"], "ok 5, total 6, unreachable 1"),
    ] {
        for more in [&["--json"][..], &["--json", "--async"]] {
            let words: Vec<&str> = ["call", "*", "test.ping"].iter().chain(&options).chain(more).copied().collect();
            let answer = simulation.func(&words).expect(1).json();
            assert_eq!(counts(&answer), expected, "{words:?}: {answer}");
        }
    }
    let told = simulation.func(&["call", "*", "test.ping", "--canary", "2"]).expect(1).out;
    assert!(told.contains("sim[3-6]\n  skipped: a host that went first had failed"), "{told}");
    assert!(told.ends_with("1 ok, 1 unreachable, 4 skipped: 6 hosts"), "{told}");
    for wrong in [["--batch", "half"], ["--max-fail", "101%"], ["--pause", "soon"]] {
        simulation.func(&["call", "*", "test.ping", wrong[0], wrong[1]]).expect(2);
    }
}

#[test]
fn what_a_job_did_not_reach_is_made_up_for_by_another_that_says_so() {
    let (simulation, address) = with_one_gone();
    let call = ["call", "*", "test.add", "40", "2", "--async", "--canary", "2", "--json"];
    let first = simulation.func(&call).expect(1).json();
    let id = first["id"].as_str().unwrap();
    simulation.func(&["job", "retry", id]).expect(2);
    simulation.func(&["job", "retry", id, "--lost"]).expect(5);
    simulation.func(&["hosts", "set", "sim2", &address]).expect(0);
    let second = simulation.func(&["job", "retry", id, "--unreachable", "--skipped", "--json"]).expect(0).json();
    assert_eq!(counts(&second), "ok 5, total 5", "{second}");
    assert_eq!((&second["retry_of"], &second["args"]), (&first["id"], &first["args"]));
    assert_eq!(second["hosts"]["sim2"]["result"]["value"], 42);
    let shown = simulation.func(&["job", "status", second["id"].as_str().unwrap()]).expect(0).out;
    assert!(shown.contains(&format!("another try of `{id}`\n5 ok: 5 hosts")), "{shown}");
    assert_eq!(counts(&simulation.func(&["job", "status", id, "--json"]).json()), counts(&first));
}
