//! The command that hands a job out in batches is killed at random points, again and again: whoever resumes the job completes
//! its census, and on every host it has run exactly once.
//!
//! `FUNC_TESTS_KILLS` says how often; the spread over the stages is printed.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Dice, Fleet, Gate, guest};

/// So many hosts.
pub(crate) const MINIONS: usize = 20;

/// So often is whoever hands one job out killed before it is left alone.
pub(crate) const KILLS_A_JOB: usize = 12;

/// So many kills in all, unless somebody wants another number.
pub(crate) fn kills(usual: usize) -> usize {
    std::env::var("FUNC_TESTS_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}

/// Where a kill fell.
pub(crate) fn stage(job: &serde_json::Value) -> String {
    format!("{} {}", job["rollout"]["stage"].as_str().unwrap(), job["rollout"]["upto"])
}

/// Hosts that write down each job that runs there.
pub(crate) fn fleet() -> (Fleet, Vec<Gate>) {
    let mut fleet = Fleet::empty();
    let mut gates = Vec::new();
    for number in 1..=MINIONS {
        let name = format!("m{number}");
        let gate = Gate::new(fleet.folder(), &name);
        gate.open("passed");
        fleet.add_with(&name, &gate.settings(), &[&guest("rogue")]);
        gates.push(gate);
    }
    (fleet, gates)
}

fn start(fleet: &Fleet, words: &[&str]) -> Child {
    fleet.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn call(word: &str) -> Vec<&str> {
    let words = ["call", "*", "rogue.pass_gate", word, "--async", "--canary", "1", "--batch", "25%"];
    words.into_iter().chain(["--pause", "50ms", "--forks", "3"]).collect()
}

/// Kills a command when it is so old. Answers whether it was still at work.
fn kill_after(mut child: Child, age: Duration) -> bool {
    thread::sleep(age);
    let at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    at_work
}

#[test]
fn the_census_is_completed_and_every_host_ran_once() {
    let kills = kills(24);
    let (fleet, gates) = fleet();
    // How long it takes when nobody disturbs it.
    let began = Instant::now();
    fleet.func(call("undisturbed")).expect(0);
    let whole = began.elapsed();
    let mut dice = Dice::new();
    let (mut killed, mut fell, mut words) = (0, BTreeMap::<String, usize>::new(), vec!["undisturbed".to_owned()]);
    while killed < kills {
        let word = format!("job{}", words.len());
        let known = fleet.func(["job", "list", "--json"]).expect(0).json().as_array().unwrap().len();
        let mut at_work = kill_after(start(&fleet, &call(&word)), dice.below(whole));
        killed += usize::from(at_work);
        let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
        let Some(id) = jobs[known]["id"].as_str() else {
            *fell.entry("before there was a job".to_owned()).or_default() += 1;
            assert!(gates.iter().all(|gate| !gate.lines().contains(&word)), "sent before it was written down");
            continue;
        };
        words.push(word);
        for _ in 1..KILLS_A_JOB {
            let job = fleet.stored(id);
            let total = job["summary"]["total"].as_u64();
            assert_eq!(total, Some(MINIONS as u64), "{job}");
            if at_work {
                *fell.entry(stage(&job)).or_default() += 1;
            }
            if job["status"] == "FINISHED" || killed >= kills {
                break;
            }
            at_work = kill_after(start(&fleet, &["job", "resume", id]), dice.below(whole / 3));
            killed += usize::from(at_work);
        }
        let resumed = fleet.func(["job", "resume", id, "--json"]).expect(0).json();
        assert_eq!((&resumed["status"], &resumed["summary"]["ok"]), (&"FINISHED".into(), &MINIONS.into()), "{resumed}");
    }
    for gate in &gates {
        let mut ran = gate.lines();
        ran.sort();
        words.sort();
        assert_eq!(ran, words, "each job exactly once");
    }
    println!("{killed} kills in {} jobs, {:.0?} after {whole:.1?} for one: {fell:?}", words.len() - 1, began.elapsed());
}
