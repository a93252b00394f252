//! What an idle minion weighs with all shipped modules.

use std::time::Duration;

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
        ["process", "resident", "proportional", "private", "of it written to"],
    );
    let mut row = |name: &str, pid| {
        let megabytes = |key: &str| format!("{:.1} MB", kilobytes(pid, key) as f64 / 1024.0);
        let [resident, proportional, private, written] = ["Rss:", "Pss:", "Private_", "Anonymous:"].map(megabytes);
        table.row([name.to_owned(), resident, proportional, private, written]);
    };
    row("daemon, just then", minion.pid());
    row("fork server", fork_server);
    // It gives back what only its work needs once it has been idle from one look to the next.
    std::thread::sleep(Duration::from_secs(45));
    row("daemon, idle", minion.pid());
    table.print();
    println!("  goal: the daemon under 25 MB.");
}

/// What the kernel says of a process's memory under the keys that begin so.
pub fn kilobytes(pid: Pid, key: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let lines = rollup.lines().filter(|line| line.starts_with(key));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}
