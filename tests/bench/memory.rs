//! What an idle minion weighs with all shipped modules.

use nix::unistd::Pid;

use crate::harness::{Fleet, until};
use crate::table::Table;

pub fn run() {
    let fleet = Fleet::start(["m1"]);
    let minion = &fleet.minions[0];
    // One call of each kind, so that nothing is counted before it is there.
    fleet.func(["call", "m1", "test.ping"]).expect(0);
    fleet.func(["call", "m1", "test.ping", "--async"]).expect(0);
    let fork_server = until("the fork server", || minion.fork_server());
    let mut table = Table::new(
        "an idle minion with all shipped modules, after a call and a job",
        ["process", "resident", "proportional", "private"],
    );
    for (name, pid) in [("daemon", minion.pid()), ("fork server", fork_server)] {
        let kilobytes = |key: &str| kilobytes(pid, key);
        let megabytes = |kilobytes: u64| format!("{:.1} MB", kilobytes as f64 / 1024.0);
        table.row([
            name.to_owned(),
            megabytes(kilobytes("Rss:")),
            megabytes(kilobytes("Pss:")),
            megabytes(kilobytes("Private_")),
        ]);
    }
    table.print();
    println!("  goal: the daemon under 25 MB.");
}

/// What the kernel says of a process's memory under the keys that begin so.
pub fn kilobytes(pid: Pid, key: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let lines = rollup.lines().filter(|line| line.starts_with(key));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}
