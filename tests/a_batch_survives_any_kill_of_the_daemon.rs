//! The daemon that hands a job out in batches is killed at random points, again and again: the next one completes the census,
//! and on every host the job has run exactly once.
//!
//! `FUNC_TESTS_KILLS` says how often; the spread over the stages is printed.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::a_batch_survives_any_kill::{KILLS_A_JOB, MINIONS, fleet, kills, stage};
use crate::harness::{Daemon, Dice, Fleet, until};

/// Asks for a job, and does not mind an answer that is cut off.
fn submit(daemon: &Daemon, word: &str) {
    let body = json!({ "target": "*", "method": "rogue.pass_gate", "args": [word], "canary": 1, "batch": "25%",
                       "pause": 0.05, "forks": 3 });
    let _ = daemon.try_ask("POST /v1/jobs", &body.to_string());
}

/// A daemon that is killed when it is so old, wherever it is by then.
fn start_and_kill(fleet: &Fleet, age: Duration) {
    let mut daemon = fleet.command(["daemon"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(age);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

fn jobs(fleet: &Fleet) -> Vec<serde_json::Value> {
    fleet.func(["job", "list", "--json"]).expect(0).json().as_array().unwrap().clone()
}

fn finished(daemon: &Daemon, id: &str) -> serde_json::Value {
    let place = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    let ended = || Some(daemon.get(&format!("/v1/jobs/{place}"))).filter(|job| job["status"] == "FINISHED");
    until("the job's end", ended)
}

#[test]
fn the_next_daemon_completes_the_census_and_every_host_ran_once() {
    let kills = kills(12);
    let (fleet, gates) = fleet();
    let began = Instant::now();
    let mut daemon = Daemon::start(&fleet);
    let starting = began.elapsed();
    // How long it takes when nobody disturbs it.
    let began = Instant::now();
    submit(&daemon, "undisturbed");
    finished(&daemon, jobs(&fleet)[0]["id"].as_str().unwrap());
    let whole = began.elapsed();
    let mut dice = Dice::new();
    let (mut killed, mut fell, mut words) = (0, BTreeMap::<String, usize>::new(), vec!["undisturbed".to_owned()]);
    for number in 1.. {
        if killed >= kills {
            break;
        }
        assert!(number <= kills * 4, "jobs without end");
        let (word, known) = (format!("job{number}"), jobs(&fleet).len());
        thread::scope(|scope| {
            let asking = scope.spawn(|| submit(&daemon, &word));
            thread::sleep(dice.below(whole));
            daemon.signal_kill();
            asking.join().unwrap();
        });
        drop(daemon);
        let made = jobs(&fleet).get(known).map(|job| job["id"].as_str().unwrap().to_owned());
        let Some(id) = made else {
            killed += 1;
            *fell.entry("before there was a job".to_owned()).or_default() += 1;
            assert!(gates.iter().all(|gate| !gate.lines().contains(&word)), "sent before it was written down");
            daemon = Daemon::start(&fleet);
            continue;
        };
        words.push(word);
        for _ in 1..=KILLS_A_JOB {
            let job = fleet.stored(&id);
            assert_eq!(job["summary"]["total"], MINIONS, "{job}");
            if job["status"] == "FINISHED" {
                break;
            }
            killed += 1;
            *fell.entry(stage(&job)).or_default() += 1;
            if killed >= kills {
                break;
            }
            start_and_kill(&fleet, starting / 2 + dice.below(whole / 3));
        }
        daemon = Daemon::start(&fleet);
        let ended = finished(&daemon, &id);
        assert_eq!(ended["summary"]["ok"], MINIONS, "{ended}");
    }
    for gate in &gates {
        let mut ran = gate.lines();
        ran.sort();
        words.sort();
        assert_eq!(ran, words, "each job exactly once");
    }
    println!("{killed} kills in {} jobs, {:.0?} after {whole:.1?} for one: {fell:?}", words.len() - 1, began.elapsed());
}
