//! `cargo bench`: what Func costs, each figure beside its floor, measured in the same run.
//!
//! These are tables to read, never tests: no figure fails a build. Arguments choose tables by name:
//! `cargo bench -- fan-out jobs`. `FUNC_BENCH_HOSTS` bounds the simulated fleets (10,000),
//! `FUNC_BENCH_BYTES` that of the file that is transferred (1 GB).

#![allow(
    unreachable_pub,
    clippy::cast_precision_loss,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints rough figures, and ends when something is wrong"
)]

#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests' harness has more than the benches need")]
mod harness;

mod calls;
mod commands;
mod fan_out;
mod floor;
mod library;
mod memory;
mod modules;
mod simulation;
mod store;
mod table;
mod transfer;
mod workers;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|choice| choice == name);
    // Forks need a process without threads, so this floor comes before everything else.
    let bare_forks = wanted("jobs").then(workers::bare_double_forks);
    if wanted("fan-out") {
        fan_out::run();
    }
    if wanted("commands") {
        commands::run();
    }
    if wanted("calls") {
        calls::run();
    }
    if let Some(bare) = bare_forks {
        workers::run(&bare);
    }
    if wanted("modules") {
        library::run();
        modules::run();
    }
    if wanted("store") {
        store::run();
    }
    if wanted("transfer") {
        transfer::run();
    }
    if wanted("memory") {
        memory::run();
    }
}
