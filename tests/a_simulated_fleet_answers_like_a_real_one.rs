//! `func sim N`: many minions behind one listener, the same server, calls and jobs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::Answer;

struct Simulation {
    process: Child,
    folder: TempDir,
}

impl Simulation {
    fn start(minions: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("func-test-").tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_func"))
            .args(["sim", &minions.to_string(), "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening on 127.0.0.1:"), "{line:?}");
        Self { process, folder }
    }

    fn func(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(arguments).env("FUNC_HOME", self.folder.path()).stdin(Stdio::null());
        command.output().unwrap().into()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_simulated_host_shows_its_own_certificate_and_answers() {
    let simulation = Simulation::start(200);
    let answer = simulation.func(&["call", "*", "test.add", "40", "2", "--json"]).expect(0).json();
    assert_eq!(answer["summary"]["ok"], 200);
    assert_eq!(answer["summary"]["total"], 200);
    assert!(answer["hosts"].as_object().unwrap().values().all(|host| host["value"] == 42));
}

#[test]
fn a_job_over_a_simulated_fleet_finishes() {
    let simulation = Simulation::start(50);
    let answer = simulation.func(&["call", "*", "test.ping", "--async", "--json"]).expect(0).json();
    assert_eq!(answer["status"], "FINISHED");
    assert_eq!(answer["summary"]["ok"], 50, "{answer}");
}
