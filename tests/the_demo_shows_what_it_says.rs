//! `func demo` and `func demo --serve`, run as a new user would.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use func::tls::Identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Answer, processes_of, shipped_modules, until};

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
        "The minions are stopped; the finished job is answered from the overlord's store",
        "func job status",
        "(0 connections were opened for this answer)",
        "there is no method `greeting.goodbye`",
        "Goodbye, operator!",
        "by the same processes: true",
        "What to try next",
    ]
    .map(position);
    assert!(order.is_sorted(), "{order:?} in:\n{}", answer.out);
    let (_, stopped) = answer.out.split_once("The minions are stopped").unwrap();
    let (stopped, _) = stopped.split_once("(0 connections").unwrap();
    assert!(["FINISHED", "3 ok: 3 hosts", "db1, web[1-2]"].iter().all(|word| stopped.contains(word)), "{stopped}");
    let slow = |line: &&str| line.contains("PARTIAL") && line.contains("db1 RUNNING") && line.contains("web1 FINISHED");
    assert!(answer.out.lines().any(|line| slow(&line)), "db1 is not the slow one in:\n{}", answer.out);
}

/// Starts a demo of many minions, sends it a signal as soon as the first of them runs, and answers how it ended.
fn interrupted(arguments: &[&str], signal: Signal) -> Option<i32> {
    shipped_modules();
    let folder = tempfile::Builder::new().prefix("func-test-").tempdir().unwrap();
    let dir = folder.path().join("fleet");
    let arguments = [&["--minions", "12", "--dir", dir.to_str().unwrap()], arguments].concat();
    let mut demo = demo(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let homes = |folder: &str| fs::read_dir(dir.join(folder)).into_iter().flatten().map(|home| home.unwrap().path());
    let running = || homes("minions").chain([dir.join("overlord")]).flat_map(|home| processes_of(&home));
    until("the first minion", || running().next());
    kill(Pid::from_raw(demo.id().try_into().unwrap()), signal).unwrap();
    let code = demo.wait().unwrap().code();
    assert_eq!(running().collect::<Vec<_>>(), [], "left behind");
    code
}

#[test]
fn a_demo_that_is_interrupted_takes_its_minions_with_it() {
    assert_eq!(interrupted(&[], Signal::SIGINT), Some(130));
    assert_eq!(interrupted(&["--serve"], Signal::SIGTERM), Some(143));
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
    let path = |key: &str| PathBuf::from(fleet[key].as_str().unwrap());
    Identity::from_pem(
        &fs::read_to_string(path("cert")).unwrap(),
        &fs::read_to_string(path("key")).unwrap(),
        &fs::read_to_string(path("ca")).unwrap(),
    )
    .unwrap();
    let minions = fleet["minions"].as_array().unwrap();
    assert_eq!(minions.iter().map(|minion| minion["name"].as_str().unwrap()).collect::<Vec<_>>(), ["web1", "db1"]);
    for minion in minions {
        let port = minion["port"].as_u64().unwrap().try_into().unwrap();
        TcpStream::connect((minion["address"].as_str().unwrap(), port)).unwrap();
        assert!(fs::exists(Path::new(minion["plugins"].as_str().unwrap()).join("greeting.wasm")).unwrap());
        let pid = Pid::from_raw(minion["pid"].as_i64().unwrap().try_into().unwrap());
        assert!(processes_of(minion["state"].as_str().unwrap().as_ref()).contains(&pid), "{minion}");
    }
    let func = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(words).env("FUNC_HOME", path("func_home")).stdin(Stdio::null());
        Answer::from(command.output().unwrap())
    };
    assert_eq!(func(&["ping", "--json"]).expect(0).json()["summary"]["ok"], 2);

    // A job that is far from its end, and the overlord's process that waits for it.
    func(&["call", "*", "test.sleep", "600", "--async", "--no-wait"]).expect(0);
    let minions: Vec<_> = minions.iter().map(|minion| PathBuf::from(minion["state"].as_str().unwrap())).collect();
    for home in &minions {
        until("the daemon, its fork server and a worker", || (processes_of(home).len() >= 3).then_some(()));
    }
    until("the overlord's process", || (!processes_of(&path("func_home")).is_empty()).then_some(()));
    // Somebody's shell in which the fleet is used is not the fleet's.
    let mut shell = Command::new("sleep").arg("600").env("FUNC_HOME", path("func_home")).spawn().unwrap();

    assert_eq!(serving.try_wait().unwrap(), None, "it ended by itself");
    kill(Pid::from_raw(serving.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(serving.wait().unwrap().success());
    assert_eq!(shell.try_wait().unwrap(), None, "somebody's shell was ended");
    shell.kill().unwrap();
    shell.wait().unwrap();
    for home in minions.into_iter().chain([path("func_home")]) {
        assert_eq!(processes_of(&home), [], "left behind of {}", home.display());
    }
}
