//! Programs of modules may leave processes behind. When these have ended, nothing of them stays; and how a program itself
//! ended is told whoever started the minion.

use std::process::Command;

use func::{fleet::Outcome, wire::Value};

use crate::harness::{Fleet, guest, has, skip, until};

const RUN: &str = "[grants.rogue]\nrun = [\"sh\"]\n";

fn script(script: &str) -> Vec<Value> {
    vec!["sh".into(), Value::Array(vec!["-c".into(), script.into()])]
}

#[test]
fn a_process_that_a_job_left_behind_is_gone_while_the_job_goes_on() {
    const NAME: &str = "a_process_that_a_job_left_behind_is_gone_while_the_job_goes_on";
    if !has(NAME, &["mktemp", "seq", "setsid"]) {
        return;
    }
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", RUN, &[&guest("rogue")]);
    // Both lose their parents to the worker, the second in a session of its own.
    let leaving =
        "file=$(mktemp); (sleep 0.01 & echo $! > $file); left=$(cat $file); (setsid sh -c 'echo $$ > '$file &);
        for turn in $(seq 500); do grep -qvx $left $file && break; sleep 0.01; done; left=\"$left $(cat $file)\"; rm $file;
        for turn in $(seq 100); do
            there=''; for pid in $left; do [ -e /proc/$pid ] && there=\"$there $pid\"; done
            [ -z \"$there\" ] && break; sleep 0.1
        done
        echo \"left:$there\"";
    let told = fleet.ask_as_job("m1", "rogue.run", script(leaving));
    assert!(matches!(&told, Outcome::Ok(Value::String(text)) if text == "left:\n"), "{told:?}");
}

#[test]
fn the_first_process_of_a_container_keeps_no_dead_workers() {
    const NAME: &str = "the_first_process_of_a_container_keeps_no_dead_workers";
    let container = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    if !Command::new("unshare").args(container).arg("true").output().is_ok_and(|tried| tried.status.success()) {
        return skip(NAME, "this machine lets nobody make a container");
    }
    let mut fleet = Fleet::empty();
    let arguments = &["--pid", "--fork", "--kill-child", "--mount-proc", env!("CARGO_BIN_EXE_func"), "minion"];
    fleet.add_as("unshare", arguments, "m1", RUN, &[&guest("rogue")]);
    for _ in 0..3 {
        fleet.ask_as_job("m1", "rogue.hold", vec![Value::Int(0)]);
    }
    fleet.ask("m1", "rogue.run", script("(sleep 0 &)"));
    until("nothing dead to be left", || {
        let dead =
            fleet.ask("m1", "rogue.run", script("cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z'; true"));
        let Outcome::Ok(Value::String(count)) = dead else { panic!("{dead:?}") };
        (count == "0\n").then_some(())
    });
}

#[test]
fn how_a_program_ended_is_told_whoever_started_the_minion() {
    const NAME: &str = "how_a_program_ended_is_told_whoever_started_the_minion";
    if !Command::new("env").args(["--ignore-signal=CHLD", "true"]).output().is_ok_and(|tried| tried.status.success()) {
        return skip(NAME, "this machine's `env` cannot ignore signals");
    }
    let mut fleet = Fleet::empty();
    let careless = &["--ignore-signal=CHLD", env!("CARGO_BIN_EXE_func"), "minion"];
    fleet.add_as("env", careless, "m1", RUN, &[&guest("rogue")]);
    for told in
        [fleet.ask("m1", "rogue.run", script("echo well")), fleet.ask_as_job("m1", "rogue.run", script("echo well"))]
    {
        assert!(matches!(&told, Outcome::Ok(Value::String(text)) if text == "well\n"), "{told:?}");
    }
}
