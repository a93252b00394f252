//! What the benches ask of a simulated fleet, which is a process of its own, so that its work is not counted as ours.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use func::ca::{Host, Inventory};
use func::config::Home;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

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

/// The largest part of memory that a process had at once, in kB; nothing once it has ended.
pub fn peak_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// The sizes of fleets to measure: powers of ten up to `FUNC_BENCH_HOSTS`, as far as there are files for their connections.
pub fn sizes() -> Vec<usize> {
    let most: usize = std::env::var("FUNC_BENCH_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let files = usize::try_from(func::sys::descriptor::raise_open_files_limit().unwrap().1).unwrap_or(usize::MAX);
    println!("\nthe limit of open files was raised to {files}; `func sim` and the commands raise theirs as far");
    let sizes = (1..).map(|power| 10_usize.pow(power)).take_while(|size| *size <= most);
    let (fit, beyond): (Vec<_>, Vec<_>) = sizes.partition(|size| size + 200 < files);
    if !beyond.is_empty() {
        println!("left out, because that are too few files: fleets of {beyond:?}");
    }
    fit
}

/// User and system time of this process, exactly.
pub fn own_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(time.num_microseconds()).unwrap())
}

/// User and system time of a process, in seconds (proc(5): fields 14 and 15 of `stat`, in ticks of 10 ms).
pub fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state is a letter and drops out: field 4 of the file is the first number here.
    (fields[10] + fields[11]) / 100.0
}
