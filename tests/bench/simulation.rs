//! A simulated fleet as a process of its own, so that its work is not counted as ours.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::{Child, Command, Stdio};

use func::ca::{Host, Inventory};
use func::config::Home;
use tempfile::TempDir;

/// `func sim N`, ended when dropped.
pub struct Simulation {
    process: Child,
    folder: TempDir,
}

impl Simulation {
    /// Starts it and waits until it listens.
    pub fn start(hosts: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("func-bench-").tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_func"))
            .args(["sim", &hosts.to_string(), "--dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line:?}");
        Self { process, folder }
    }

    /// The home of its overlord.
    pub fn home(&self) -> Home {
        Home::at(self.folder.path())
    }

    /// Its hosts.
    pub fn hosts(&self) -> Vec<Host> {
        Inventory::load(&self.home().inventory()).unwrap().hosts()
    }

    /// The same as plain names and addresses.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let resolve = |host: &Host| host.address.to_string().to_socket_addrs().unwrap().next().unwrap();
        self.hosts().iter().map(|host| (host.name.to_string(), resolve(host))).collect()
    }

    /// CPU time that its process has used, in seconds.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.process.id())
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// User and system time of a process, in seconds (proc(5): fields 14 and 15 of `stat`, in ticks of 10 ms).
pub fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state is a letter and drops out: field 4 of the file is the first number here.
    (fields[10] + fields[11]) / 100.0
}
