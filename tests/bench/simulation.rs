//! What the benches ask of a simulated fleet, which is a process of its own, so that its work is not counted as ours.

use std::net::{SocketAddr, ToSocketAddrs};

use func::ca::{Host, Inventory};
use func::config::Home;

pub use crate::harness::Simulation;

impl Simulation {
    /// Its hosts.
    pub fn hosts(&self) -> Vec<Host> {
        Inventory::load(&Home::at(self.home()).inventory()).unwrap().hosts()
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

/// User and system time of a process, in seconds (proc(5): fields 14 and 15 of `stat`, in ticks of 10 ms).
pub fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state is a letter and drops out: field 4 of the file is the first number here.
    (fields[10] + fields[11]) / 100.0
}
