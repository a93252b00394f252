//! A simulated fleet as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::fleet::Answer;

/// `func sim N`, ended when dropped.
pub struct Simulation {
    /// What runs it.
    pub process: Child,
    folder: TempDir,
}

impl Simulation {
    /// Starts it and waits until it listens.
    pub fn start(minions: usize) -> Self {
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

    /// A `func` command of its overlord, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(arguments).env("FUNC_HOME", self.home()).stdin(Stdio::null());
        command
    }

    /// Runs a `func` command of its overlord to its end.
    pub fn func(&self, arguments: &[&str]) -> Answer {
        self.command(arguments).output().unwrap().into()
    }

    /// Whether there are terminals, or why not.
    pub fn terminals() -> Result<(), &'static str> {
        let script = Command::new("script").arg("--version").stdout(Stdio::null()).status();
        script.map(drop).map_err(|_| "there is no program `script`, which makes terminals")
    }

    /// Runs a command on a terminal of its own, on which this is typed. What it prints comes on one stream.
    pub fn on_a_terminal(&self, arguments: &str, typed: &str) -> Answer {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{} {arguments}", env!("CARGO_BIN_EXE_func")), "/dev/null"]);
        script.env("FUNC_HOME", self.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut script = script.spawn().unwrap();
        script.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
        Answer::from(script.wait_with_output().unwrap())
    }

    /// The `FUNC_HOME` of its overlord.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
