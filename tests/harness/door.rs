//! The door of a test's authority, for machines that have no certificate yet.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use super::Fleet;

/// `func ca serve` of a fleet's overlord; killed when dropped.
pub struct Door {
    process: Child,
    /// Where it listens.
    pub address: String,
}

impl Door {
    /// Opens it.
    pub fn open(fleet: &Fleet) -> Self {
        let mut command = fleet.command(["ca", "serve", "--listen", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit(' ').next().unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
