//! Whole commands, and the daemon, over simulated fleets: what an operator waits for, and what it weighs.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Daemon;
use crate::simulation::{Simulation, cpu_of, peak_of, sizes};
use crate::table::{Table, time};

const FORKS: &str = "1000";

/// What one run has taken.
struct Run {
    first: Option<Duration>,
    wall: Duration,
    cpu: f64,
    peak: u64,
}

pub fn run() {
    let mut table = Table::new(
        &format!("test.ping as a command or asked of the daemon, --forks {FORKS}, once each"),
        ["hosts", "", "first result", "full census", "CPU", "peak memory"],
    );
    let mut row = |count: usize, name: &str, run: &Run| {
        table.row([
            count.to_string(),
            name.to_owned(),
            run.first.map(time).unwrap_or_default(),
            time(run.wall),
            format!("{:.2} s", run.cpu),
            format!("{:.0} MB", run.peak as f64 / 1024.0),
        ]);
    };
    for count in sizes() {
        let simulation = Simulation::start(count);
        row(count, "func call", &command(&simulation, count, &[]));
        row(count, "func call --async", &command(&simulation, count, &["--async"]));
        let daemon = Daemon::run(&mut simulation.command(&["daemon"]));
        for name in ["daemon, cold", "daemon, warm"] {
            row(count, name, &asked(&daemon, count));
        }
        row(count, "daemon, a job", &job(&daemon, count));
    }
    table.print();
    println!("  goal: linear. Memory of the daemon is its peak so far.");
}

/// A command with a line for each host.
fn command(simulation: &Simulation, count: usize, more: &[&str]) -> Run {
    let began = Instant::now();
    let mut command = simulation.command(&["call", "*", "test.ping", "--jsonl", "--forks", FORKS]);
    let mut process = command.args(more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pid = process.id();
    let watch = thread::spawn(move || {
        let mut last = (0.0, 0);
        // Once it has ended there is nothing to read of its memory, until it is waited for.
        while let Some(peak) = peak_of(pid) {
            last = (cpu_of(pid), peak);
            thread::sleep(Duration::from_millis(2));
        }
        last
    });
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("\"ok\""), "{line}");
    let first = Some(began.elapsed());
    let others = lines.map(Result::unwrap).filter(|line| line.contains("\"ok\"")).count();
    let (cpu, peak) = watch.join().unwrap();
    let wall = began.elapsed();
    assert!(process.wait().unwrap().success() && others + 1 == count, "{others} others");
    Run { first, wall, cpu, peak }
}

fn asked(daemon: &Daemon, count: usize) -> Run {
    measured(daemon, || {
        let body = json!({ "target": "*", "method": "test.ping", "forks": 1000 });
        let answer = daemon.post("/v1/calls", &body, 200);
        assert_eq!(answer["summary"]["ok"], count, "{}", answer["summary"]);
        None
    })
}

/// A job, looked at until its end.
fn job(daemon: &Daemon, count: usize) -> Run {
    measured(daemon, || {
        let began = Instant::now();
        let body = json!({ "target": "*", "method": "test.ping", "forks": 1000 });
        let job = daemon.post("/v1/jobs", &body, 201);
        let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap().replace('*', "%2A"));
        let mut first = None;
        loop {
            let view = daemon.get(&path);
            if view["summary"]["ok"] != 0 {
                first.get_or_insert_with(|| began.elapsed());
            }
            if view["status"] == "FINISHED" {
                assert_eq!(view["summary"]["ok"], count);
                return first;
            }
            assert!(began.elapsed() < Duration::from_mins(10), "{}", view["summary"]);
            thread::sleep(Duration::from_millis(100));
        }
    })
}

fn measured(daemon: &Daemon, work: impl FnOnce() -> Option<Duration>) -> Run {
    let pid = daemon.process.id();
    let (began, cpu) = (Instant::now(), cpu_of(pid));
    let first = work();
    Run { first, wall: began.elapsed(), cpu: cpu_of(pid) - cpu, peak: peak_of(pid).unwrap() }
}
