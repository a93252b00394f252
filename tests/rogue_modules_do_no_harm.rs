//! A module that loops, hoards, recurses, floods or panics gets a clear error, and the minion serves on.

use func::fleet::Outcome;
use func::wire::{RemoteError, Value};

use crate::harness::{Fleet, Minion, guest, until};

const LIMITS: &str = "[limits]\nmemory = \"64MiB\"\noutput = \"1MiB\"\nlog = \"64KiB\"\n";

fn fleet() -> Fleet {
    fleet_with(LIMITS)
}

fn fleet_with(settings: &str) -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", settings, &[&guest("rogue")]);
    fleet
}

/// For what would never end.
fn with_little_time() -> Fleet {
    fleet_with(&format!("[calls]\ntimeout = \"1s\"\n[jobs]\ntimeout = \"1s\"\n{LIMITS}"))
}

/// The error that a method answers when it is called, and then the same when it is a job's; a job leaves no worker.
#[track_caller]
fn failure(fleet: &mut Fleet, method: &str, params: &[Value]) -> RemoteError {
    let error = fleet.failure("m1", method, params.to_vec());
    match fleet.ask_as_job("m1", method, params.to_vec()) {
        Outcome::Failed(of_job) => assert_eq!(of_job.kind, error.kind, "{method} as a job: {of_job}"),
        other => panic!("{method} as a job ended as {other:?}"),
    }
    rests(fleet);
    error
}

/// Ended by the minion after its own limit of one second, long before the caller's; as a call and as a job.
#[track_caller]
fn times_out(fleet: &mut Fleet, method: &str, params: &[Value]) {
    let outcome = fleet.ask("m1", method, params.to_vec());
    assert_eq!(outcome.to_string(), "timed out: no result within 1 s", "{method}: {outcome:?}");
    let outcome = fleet.ask_as_job("m1", method, params.to_vec());
    assert!(matches!(outcome, Outcome::TimedOut { .. }), "{method} as a job ended as {outcome:?}");
    rests(fleet);
}

/// It serves on, and no worker is left.
fn rests(fleet: &mut Fleet) {
    serves_on(fleet);
    let minion = fleet.minion("m1");
    let resting = [Some(minion.pid()), minion.fork_server()];
    until("the worker's end", || minion.processes().iter().all(|pid| resting.contains(&Some(*pid))).then_some(()));
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
    times_out(&mut with_little_time(), "rogue.spin", &[]);
}

#[test]
fn a_wait_that_heeds_nothing_ends_at_its_deadline() {
    times_out(&mut with_little_time(), "rogue.hold_on", &[Value::Int(60_000)]);
}

#[test]
fn memory_has_a_bound_and_goes_back() {
    let mut fleet = fleet();
    let error = failure(&mut fleet, "rogue.grow", &[]);
    assert_eq!(error, RemoteError::new("OutOfMemory", "the module wanted more than its 64 MiB of memory"));
    assert!(resident(fleet.minion("m1")) < 200_000, "{} kB", resident(fleet.minion("m1")));
}

#[test]
fn recursion_has_a_bound() {
    let error = failure(&mut fleet(), "rogue.recurse", &[]);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Trap", "wasm trap: call stack exhausted"), "{error}");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_costs_no_memory() {
    let mut fleet = fleet();
    let bytes = 20_000_000;
    let told = ["more than 65536 bytes of log; the rest is dropped", " bytes of log were dropped"];
    assert_eq!(fleet.ask("m1", "rogue.shout", vec![bytes.into()]), Outcome::Ok(Value::Nil));
    let log = until("the line that says how much was dropped", || {
        let log = fleet.minion("m1").log();
        log.contains(told[1]).then_some(log)
    });
    assert!(log.contains(told[0]), "{}", &log[log.len() - 1000..]);
    assert!(log.len() < 200_000, "{} bytes of log", log.len());
    assert!(resident(fleet.minion("m1")) < 200_000, "{} kB", resident(fleet.minion("m1")));

    // A job keeps its own log, under the same bound.
    let job = fleet.job("m1", &["rogue.shout", &bytes.to_string()], 0);
    let log = fleet.job_log("m1", job["minion_job"].as_str().unwrap());
    assert!(told.iter().all(|words| log.contains(words)), "{}", &log[log.len() - 1000..]);
    assert!(log.len() < 200_000, "{} bytes of log", log.len());
    serves_on(&fleet);
}

#[test]
fn a_result_has_a_bound() {
    let mut fleet = fleet();
    for method in ["rogue.bytes", "rogue.text", "rogue.many"] {
        let error = failure(&mut fleet, method, &[Value::Int(10_000_000)]);
        let limit = RemoteError::new("ResultTooLarge", "the result is larger than the limit of 1048576 bytes");
        assert_eq!(error, limit, "{method}");
    }
    assert!(resident(fleet.minion("m1")) < 300_000, "{} kB", resident(fleet.minion("m1")));
}

#[test]
fn a_panic_reaches_the_caller_in_the_author_s_words() {
    let mut fleet = fleet();
    let error = failure(&mut fleet, "rogue.panic", &["the disk is on fire".into()]);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Trap", "the disk is on fire"));
    assert!(error.trace.contains("rogue/src/lib.rs"), "{error:?}");
    let error = failure(&mut fleet, "rogue.trap", &[]);
    assert!(error.kind == "Trap" && error.message.contains("unreachable"), "{error}");
    let error = failure(&mut fleet, "rogue.overrun", &[]);
    assert!(error.kind == "Trap" && error.message.contains("out of bounds memory access"), "{error}");
}

#[test]
fn an_error_of_the_method_s_own_keeps_its_words() {
    let error = failure(&mut fleet(), "rogue.fail", &["not today".into()]);
    assert_eq!(error, RemoteError::new("failed", "not today (hint: this is meant to fail)"));
}

#[test]
fn an_error_is_cut_however_long_the_module_made_it() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "[limits]\noutput = \"64MiB\"\n", &[&guest("rogue")]);
    let long = || vec!["x".repeat(10_000_000).into()];
    for outcome in [fleet.ask("m1", "rogue.fail", long()), fleet.ask_as_job("m1", "rogue.fail", long())] {
        let Outcome::Failed(error) = outcome else { panic!("it must fail") };
        assert!(error.message.starts_with("xxx") && error.message.contains("(cut: 100000"), "{}", error.kind);
        assert!(error.kind == "failed" && error.message.len() + error.trace.len() <= 64 << 10, "{}", error.trace.len());
    }
}

#[test]
fn a_value_that_holds_itself_is_refused() {
    let error = failure(&mut fleet(), "rogue.loop_value", &[]);
    assert_eq!(error.kind, "ResultUnsendable", "{error}");
    assert!(error.message.contains("item 0 refers to item 0, which is not behind it"), "{error}");
}

#[test]
fn a_result_that_is_nested_too_deep_to_be_sent_ends_its_job() {
    let fleet = fleet();
    let error = fleet.failure("m1", "rogue.nest", vec![Value::Int(40)]);
    assert!(error.kind == "ResultTooLarge" && error.message.contains("nested deeper than"), "{error}");
    // 30 levels fit into an answer, and not into a job's status.
    for levels in [30, 31, 40, 64, 100] {
        let error = fleet.job("m1", &["rogue.nest", &levels.to_string()], 1);
        assert_eq!(error["result"]["error"]["type"], "ResultTooLarge", "{levels}: {error}");
    }
    fleet.job("m1", &["rogue.nest", "28"], 0);
}

#[test]
fn an_echo_that_is_nested_too_deep_ends_its_job() {
    let mut fleet = Fleet::empty();
    fleet.add("m1", "");
    for (levels, kind) in [(30, "ResultTooLarge"), (40, "")] {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let outcome = fleet.job("m1", &["test.echo", &value], 1);
        assert!(kind.is_empty() || outcome["result"]["error"]["type"] == kind, "{levels}: {outcome}");
    }
}
