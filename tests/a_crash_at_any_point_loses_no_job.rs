//! Whoever dies between two steps of a job's life, on either side: what is shown afterwards is true, and nothing runs twice.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;

use func::ca::Host;
use func::config::Home;
use func::fleet::{Fleet as Caller, FleetOptions, Outcome, Request};
use func::ids::MinionJobId;
use func::tls::Identity;
use func::wire::{Call, JobStatus, Value};
use nix::unistd::Pid;

use crate::harness::{Fleet, Gate, Way, command_line, guest, until};

/// A minion at whose gate jobs wait, with this in its configuration besides.
fn gated(extra: &str) -> (Fleet, Gate) {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    fleet.add_with("m1", &format!("{}{extra}", gate.settings()), &[&guest("rogue")]);
    (fleet, gate)
}

/// A job that runs, and that nobody waits for.
fn running(fleet: &Fleet, gate: &Gate) -> String {
    let job = fleet.func(["call", "*", "rogue.pass_gate", "--async", "--no-wait"]).expect(0).out;
    until("the run", || (gate.lines() == ["ran"]).then_some(()));
    until("the end of the fan-out", || (fleet.stored(&job)["status"] == "PARTIAL").then_some(()));
    fleet.kill_background();
    job
}

fn journal(fleet: &Fleet, job: &str) -> PathBuf {
    let id = fleet.stored(job)["hosts"]["m1"]["minion_job"].as_str().unwrap().to_owned();
    fleet.minions[0].home.join("jobs").join(id)
}

/// Where a text ends in a file, and how long the file is.
fn end_of(text: &str, file: &std::path::Path) -> Option<(usize, usize)> {
    let bytes = fs::read(file).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes())?;
    Some((at + text.len(), bytes.len()))
}

/// Keeps every command from the store.
fn lock_store(fleet: &Fleet) -> File {
    let lock = File::open(Home::at(fleet.home()).store().join("store.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

/// Kills a command that waits for the store.
fn kill_at_the_store(mut command: Child) {
    let waits = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", command.id())).unwrap().flatten();
        let mut names = tasks.map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
        names.any(|name| name.trim_end() == "store-lock")
    };
    until("the command to wait for the store", || waits().then_some(()));
    command.kill().unwrap();
    command.wait().unwrap();
}

fn spawn(fleet: &Fleet, words: &[&str]) -> Child {
    fleet.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether somebody has a connection to a port of this machine.
fn is_connected(port: u16) -> bool {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1).is_some_and(|address| address.ends_with(&local)) && words.get(3) == Some(&ESTABLISHED)
    })
}

#[test]
fn a_result_that_was_half_written_is_lost_and_its_method_does_not_run_again() {
    let (mut fleet, gate) = gated("");
    let job = running(&fleet, &gate);
    let (file, result) = (journal(&fleet, &job), "half of this ".repeat(20));
    gate.open(&result);
    until("the result", || end_of(&result, &file));
    let is_worker = |pid: &Pid| command_line(*pid).starts_with("funcd: job");
    until("the worker's end", || (!fleet.minions[0].processes().iter().any(is_worker)).then_some(()));
    fleet.minion("m1").kill();
    let (end, _) = end_of(&result, &file).unwrap();
    let cut = File::options().write(true).open(&file).unwrap();
    cut.set_len((end - result.len() / 2) as u64).unwrap();
    for _ in 0..2 {
        fleet.minion("m1").launch();
        let ended = fleet.func(["job", "wait", &job, "--json"]).expect(1).json();
        assert_eq!(ended["hosts"]["m1"]["result"]["outcome"], "lost", "{ended}");
        fleet.minion("m1").stop();
    }
    assert_eq!(gate.lines(), ["ran"]);
}

#[test]
fn a_minion_killed_before_it_could_say_that_it_accepted_has_the_job_and_runs_it_once() {
    let (mut fleet, gate) = gated("");
    let (id, address) = (MinionJobId::fresh(), fleet.minions[0].address);
    let submit = {
        let (identity, id) = (Identity::in_folder(&Home::at(fleet.home()).identity()).unwrap(), id.clone());
        move |address: std::net::SocketAddr| {
            let host = Host { name: "m1".parse().unwrap(), address: address.into() };
            let request = Request::new(&Call::new("async.rogue.pass_gate", vec!["ran".into()])).job(&id, None);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                Caller::new(&identity, FleetOptions::default()).unwrap().call(&host, &request).await
            })
        }
    };
    // The answer is on its way for ever.
    let way = Way::to(address);
    let (first, way) = (submit.clone(), way.address());
    let first = thread::spawn(move || first(way));
    let file = fleet.minions[0].home.join("jobs").join(id.as_str());
    until("the job's file", || file.exists().then_some(()));
    fleet.minion("m1").kill();
    assert!(matches!(first.join().unwrap(), Outcome::Lost { .. }), "nobody was told");

    fleet.minion("m1").launch();
    assert_eq!(submit(address), Outcome::Ok(id.as_str().into()));
    gate.open("passed");
    let ended = Outcome::Ok(Value::Array(vec![JobStatus::Finished.code().into(), "passed".into()]));
    let status = || fleet.ask("m1", "jobs.job_status", vec![id.as_str().into()]);
    until("the job's end", || (status() == ended).then_some(()));
    assert_eq!(submit(address), Outcome::Ok(id.as_str().into()), "it has ended, and is the same job");
    assert_eq!(gate.lines(), ["ran"]);
}

#[test]
fn a_tombstone_that_was_half_written_costs_no_result() {
    let (mut fleet, gate) = gated("");
    let job = running(&fleet, &gate);
    let (file, result) = (journal(&fleet, &job), "not yet gone ".repeat(20));
    gate.open(&result);
    until("the result", || end_of(&result, &file));
    fleet.minion("m1").stop();
    let name = format!(".{}.0123456789abcdef.new", file.file_name().unwrap().to_str().unwrap());
    let half = file.with_file_name(name);
    fs::write(&half, b"half a tomb").unwrap();
    fleet.minion("m1").launch();
    assert!(!half.exists(), "it is left behind");
    let ended = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(ended["hosts"]["m1"]["result"]["value"], result);
    assert_eq!(gate.lines(), ["ran"]);
}

#[test]
fn an_overlord_killed_before_the_map_is_durable_has_sent_and_says_nothing() {
    let (fleet, gate) = gated("");
    gate.open("passed");
    fleet.func(["call", "m1", "rogue.pass_gate", "before", "--async"]).expect(0);
    let jobs = || fs::read_dir(fleet.minions[0].home.join("jobs")).unwrap().count();
    let known = || {
        let calls = fleet.whole_audit("m1", "async.rogue.pass_gate").len();
        (jobs(), calls, fleet.func(["job", "list", "--json"]).expect(0).json())
    };
    let before = known();
    assert!(before.1 > 0, "the call that was sent is in the audit log");
    let lock = lock_store(&fleet);
    kill_at_the_store(spawn(&fleet, &["call", "*", "rogue.pass_gate", "never", "--async"]));
    drop(lock);
    assert_eq!(known(), before);
    assert_eq!(gate.lines(), ["before"]);
}

#[test]
fn a_result_that_was_fetched_and_not_stored_is_fetched_again() {
    let (mut fleet, gate) = gated("");
    let job = running(&fleet, &gate);
    let (file, result) = (journal(&fleet, &job), "fetched ".repeat(20));
    let port = fleet.minions[0].address.port();
    until("the earlier connections' end", || (!is_connected(port)).then_some(()));
    let waiting = spawn(&fleet, &["job", "wait", &job]);
    until("the question", || is_connected(port).then_some(()));
    let lock = lock_store(&fleet);
    gate.open(&result);
    // The last record notes that the result was given out.
    until("the answer", || end_of(&result, &file).filter(|(end, length)| end < length));
    kill_at_the_store(waiting);
    drop(lock);
    assert_eq!(fleet.stored(&job)["hosts"]["m1"]["state"], "RUNNING", "nothing was stored");

    fleet.minion("m1").stop();
    fleet.minion("m1").launch();
    let ended = fleet.func(["job", "wait", &job, "--json"]).expect(0).json();
    assert_eq!(ended["hosts"]["m1"]["result"]["value"], result);
    assert_eq!(gate.lines(), ["ran"]);
}
