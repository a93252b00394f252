//! `func demo` and `func demo --serve`, run as a new user would.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Answer, processes_of, until};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
    command.arg("demo").args(arguments).env_remove("FUNC_HOME").stdin(Stdio::null());
    command
}

#[test]
fn the_story_is_told_to_its_end() {
    let answer = Answer::from(demo(&[]).output().unwrap()).expect(0);
    let position = |text: &str| answer.out.find(text).unwrap_or_else(|| panic!("no `{text}` in:\n{}", answer.out));
    let order = [
        "func call '*' test.add 1 2",
        "3 ok: 3 hosts",
        "func call '*' test.progress",
        "RUNNING ",
        "PARTIAL ",
        "FINISHED ",
        "func job status",
        "(0 connections were opened for this answer)",
        "there is no method `greeting.goodbye`",
        "Goodbye, operator!",
        "by the same processes: true",
        "What to try next",
    ]
    .map(position);
    assert!(order.is_sorted(), "{order:?} in:\n{}", answer.out);
    let slow = |line: &&str| line.contains("PARTIAL") && line.contains("db1 RUNNING") && line.contains("web1 FINISHED");
    assert!(answer.out.lines().any(|line| slow(&line)), "db1 is not the slow one in:\n{}", answer.out);
}

#[test]
fn a_served_fleet_is_described_for_scripts_and_ends_without_a_trace() {
    let folder = tempfile::Builder::new().prefix("func-test-").tempdir().unwrap();
    let dir = folder.path().join("fleet");
    let mut serving = demo(&["--serve", "--minions", "2", "--dir", dir.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let fleet: serde_json::Value = until("fleet.json", || {
        let text = fs::read_to_string(dir.join("fleet.json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    });
    for key in ["ca", "cert", "key", "func_home"] {
        assert!(fs::exists(fleet[key].as_str().unwrap()).unwrap(), "{key}");
    }
    let minions = fleet["minions"].as_array().unwrap();
    assert_eq!(minions.len(), 2);
    for minion in minions {
        assert!(minion["name"].is_string() && minion["address"] == "127.0.0.1" && minion["port"].is_u64(), "{minion}");
        assert!(fs::exists(minion["plugins"].as_str().unwrap()).unwrap());
        assert!(fs::exists(format!("/proc/{}", minion["pid"])).unwrap());
    }
    let ping = Command::new(env!("CARGO_BIN_EXE_func"))
        .args(["ping", "--json"])
        .env("FUNC_HOME", fleet["func_home"].as_str().unwrap())
        .output()
        .unwrap();
    assert_eq!(Answer::from(ping).expect(0).json()["summary"]["ok"], 2);

    kill(Pid::from_raw(serving.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(serving.wait().unwrap().success());
    for minion in minions {
        let home = minion["state"].as_str().unwrap();
        until("the minions' end", || processes_of(home.as_ref()).is_empty().then_some(()));
    }
}
