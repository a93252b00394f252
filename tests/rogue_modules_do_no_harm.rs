//! A module that loops, hoards, recurses, floods or panics gets a clear error, and the minion serves on.

use func::fleet::Outcome;
use func::wire::{RemoteError, Value};

use crate::harness::{Fleet, Minion, guest};

const LIMITS: &str = "[calls]\ntimeout = \"2s\"\n[limits]\nmemory = \"64MiB\"\noutput = \"1MiB\"\nlog = \"64KiB\"\n";

fn fleet() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", LIMITS, &[&guest("rogue")]);
    fleet
}

#[track_caller]
fn failure(fleet: &Fleet, method: &str, params: Vec<Value>) -> RemoteError {
    match fleet.ask("m1", method, params) {
        Outcome::Failed(error) => error,
        other => panic!("{method} answered {other:?}"),
    }
}

fn serves_on(fleet: &Fleet) {
    assert_eq!(fleet.ask("m1", "rogue.hold", vec![Value::Int(1)]), Outcome::Ok(Value::Int(1)));
}

/// Resident memory in kilobytes.
fn resident(minion: &Minion) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", minion.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_loop_ends_at_its_deadline() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.spin", vec![]);
    assert_eq!(error.kind, "TimedOut", "{error}");
    serves_on(&fleet);
}

#[test]
fn a_wait_that_heeds_nothing_ends_at_its_deadline() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.hold_on", vec![Value::Int(60_000)]);
    assert_eq!(error.kind, "TimedOut", "{error}");
    serves_on(&fleet);
}

#[test]
fn memory_has_a_bound_and_goes_back() {
    let mut fleet = fleet();
    let error = failure(&fleet, "rogue.grow", vec![]);
    assert!(error.message.contains("memory"), "{error}");
    serves_on(&fleet);
    assert!(resident(fleet.minion("m1")) < 200_000, "{} kB", resident(fleet.minion("m1")));
}

#[test]
fn recursion_has_a_bound() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.recurse", vec![]);
    assert!(error.message.contains("stack"), "{error}");
    serves_on(&fleet);
}

#[test]
fn a_flood_of_log_lines_is_cut_and_costs_no_memory() {
    let mut fleet = fleet();
    let outcome = fleet.ask("m1", "rogue.shout", vec![Value::Int(100_000_000)]);
    // Cut off, or ended by its deadline: never a flood.
    assert!(matches!(outcome, Outcome::Ok(_) | Outcome::Failed(_)), "{outcome:?}");
    serves_on(&fleet);
    assert!(fleet.minion("m1").log().len() < 2_000_000);
    assert!(resident(fleet.minion("m1")) < 200_000);
}

#[test]
fn a_result_has_a_bound() {
    let mut fleet = fleet();
    for method in ["rogue.bytes", "rogue.text", "rogue.many"] {
        let error = failure(&fleet, method, vec![Value::Int(10_000_000)]);
        assert!(error.message.contains("1 MiB") || error.message.contains("1048576"), "{method}: {error}");
    }
    serves_on(&fleet);
    assert!(resident(fleet.minion("m1")) < 300_000);
}

#[test]
fn a_panic_reaches_the_caller_in_the_author_s_words() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.panic", vec!["the disk is on fire".into()]);
    assert!(error.message.contains("the disk is on fire"), "{error}");
    let error = failure(&fleet, "rogue.trap", vec![]);
    assert!(error.message.contains("unreachable"), "{error}");
    let error = failure(&fleet, "rogue.overrun", vec![]);
    assert!(error.message.contains("memory"), "{error}");
    serves_on(&fleet);
}

#[test]
fn an_error_of_the_method_s_own_keeps_its_words() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.fail", vec!["not today".into()]);
    assert!(error.message.contains("not today"), "{error}");
}

#[test]
fn a_value_that_holds_itself_is_refused() {
    let fleet = fleet();
    failure(&fleet, "rogue.loop_value", vec![]);
    serves_on(&fleet);
}

#[test]
fn a_result_that_is_nested_too_deep_to_be_sent_ends_its_job() {
    let fleet = fleet();
    let error = failure(&fleet, "rogue.nest", vec![Value::Int(40)]);
    assert!(error.kind == "ResultTooLarge" && error.message.contains("nested deeper than"), "{error}");
    // 30 levels fit into an answer, and not into a job's status.
    for levels in [30, 31, 40, 64, 100] {
        let error = job(&fleet, &["rogue.nest", &levels.to_string()], 1);
        assert_eq!(error["result"]["error"]["type"], "ResultTooLarge", "{levels}: {error}");
    }
    job(&fleet, &["rogue.nest", "28"], 0);
}

#[test]
fn an_echo_that_is_nested_too_deep_ends_its_job() {
    let mut fleet = Fleet::empty();
    fleet.add("m1", "");
    for (levels, kind) in [(30, "ResultTooLarge"), (40, "")] {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let outcome = job(&fleet, &["test.echo", &value], 1);
        assert!(kind.is_empty() || outcome["result"]["error"]["type"] == kind, "{levels}: {outcome}");
    }
}

/// Runs a job to its end, which must be FINISHED, and answers what became of it on the minion.
#[track_caller]
fn job(fleet: &Fleet, call: &[&str], code: i32) -> serde_json::Value {
    let words = ["call", "m1"].iter().chain(call).chain(&["--async", "--json"]);
    let ended = fleet.func(words).expect(code).json();
    let status = fleet.status(ended["id"].as_str().unwrap());
    assert_eq!(status["status"], "FINISHED", "{call:?}: {status}");
    ended["hosts"]["m1"].clone()
}
