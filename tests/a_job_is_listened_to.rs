//! `func job follow`: what a job's hosts say is shown as it comes, once, and then the job.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::Fleet;

#[test]
fn every_line_of_every_host_is_shown_once_while_the_job_runs_and_to_whoever_comes_later() {
    let fleet = Fleet::start(["m1", "m2"]);
    let mut first = fleet
        .command(["call", "*", "test.progress", "4", "300", "--follow", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines().map(Result::unwrap);
    let object = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap();
    // Heard while it runs.
    let heard = object(lines.next().unwrap());
    assert!(heard["host"].is_string(), "{heard}");
    let job = fleet.func(["job", "list", "--json"]).expect(0).json()[0].clone();
    assert_ne!(job["status"], "FINISHED", "{job}");
    let rest: Vec<_> = lines.map(object).collect();
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let all: Vec<_> = [heard].into_iter().chain(rest).collect();
    assert_eq!(all.last().unwrap()["job"]["summary"]["ok"], 2);

    // In a second terminal, after the end: the same lines, and the job's own exit code.
    let id = job["id"].as_str().unwrap();
    let later = fleet.func(["job", "follow", id]).expect(0);
    for host in ["m1", "m2"] {
        for step in 1..=4 {
            let text = format!("step {step} of 4");
            let is_it = |object: &&serde_json::Value| {
                object["host"] == host && object["line"].as_str().is_some_and(|line| line.ends_with(&text))
            };
            assert_eq!(all.iter().filter(is_it).count(), 1, "{host} {step}: {all:?}");
            let line = |line: &&str| {
                line.starts_with(&format!("{host}: ")) && line.contains(" info ") && line.ends_with(&text)
            };
            assert_eq!(later.out.lines().filter(line).count(), 1, "{host} {step}: {}", later.out);
        }
    }
    assert!(later.out.ends_with("2 ok: 2 hosts"), "{}", later.out);
}
