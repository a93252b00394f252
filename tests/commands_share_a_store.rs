//! Several commands at one store at a time all succeed.

use std::process::Stdio;

use crate::harness::{Answer, Fleet};

#[test]
fn three_overlords_at_once_lose_nothing() {
    let fleet = Fleet::start(["m1", "m2"]);
    let running: Vec<_> = (0..3)
        .map(|number| {
            let number = number.to_string();
            fleet
                .command(["call", "*", "test.add", "100", &number, "--async", "--json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (number, process) in running.into_iter().enumerate() {
        let answer = Answer::from(process.wait_with_output().unwrap()).expect(0).json();
        assert_eq!(answer["hosts"]["m2"]["result"]["value"], 100 + number, "{answer}");
    }
    let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
    assert_eq!(jobs.as_array().unwrap().len(), 3);
    assert!(jobs.as_array().unwrap().iter().all(|job| job["status"] == "FINISHED"), "{jobs}");
}
