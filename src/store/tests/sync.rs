//! The order of the system calls: a commit is answered only after sled's file was synced, big values before their rows.
//!
//! A test cannot cut the power, but strace can show what would have survived. Where it is not installed or not allowed,
//! the test says so and passes, unless `FUNC_TESTS_NO_SKIP` is set.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Command,
};

use super::child_under;
use crate::sys::skip::skip;

#[test]
fn a_commit_is_answered_only_after_the_disk_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, trace) = (dir.path().join("store"), dir.path().join("trace"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]).arg(&trace);
    strace.arg(std::env::current_exe().unwrap());
    let can_trace = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    if !can_trace.is_ok_and(|output| output.status.success()) {
        return skip("the order of the store's system calls", "strace is not installed, or not allowed here");
    }
    let mut child = child_under(strace, "store::tests::kill::child_that_writes", &store);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let last = lines.filter(|line| line.contains("durable ")).take(20).last();
    assert!(last.is_some_and(|line| line.ends_with("durable 20")), "the child wrote nothing");
    child.kill().unwrap();
    child.wait().unwrap();

    let trace = fs::read_to_string(trace).unwrap();
    let (mut unsynced, mut answers, mut big_unsynced) = (false, 0, false);
    for line in trace.lines() {
        let (write, sync) = (line.contains(" write(") || line.contains("pwrite64("), line.contains("sync("));
        if line.contains("/data/sled/db>") && write {
            assert!(!big_unsynced, "a row was written before the file it names was synced");
            unsynced = true;
        } else if line.contains("/data/sled/db>") && sync {
            unsynced = false;
        } else if line.contains("/data/big/") && line.contains(".value>") {
            big_unsynced = write;
        } else if line.contains("durable ") && write {
            assert!(!unsynced, "answered before it was synced: {line}");
            answers += 1;
        }
    }
    assert!(answers >= 20, "{answers} answers in the trace");
}
