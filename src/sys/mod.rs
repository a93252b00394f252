//! The operating system: the one place for `unsafe`.
//!
//! One file for each concern. What leaves this module is a safe function or type whose misuse is at
//! worst an error value; each `unsafe` block says why it is sound. Nothing here knows what a job or a
//! module is. Every descriptor made here is closed on exec.
#![expect(unsafe_code, reason = "system calls; everything else in the crate is free of it")]

pub mod adopted;
pub mod alarm;
pub mod cgroup;
pub mod clock;
pub mod compiled;
pub mod contain;
pub mod descriptor;
pub mod detach;
pub mod double_fork;
pub mod durable;
pub mod family;
pub mod fence;
pub mod fork;
pub mod lock;
pub mod memory;
pub mod pidfd;
pub mod process;
pub mod rest;
pub mod seqpacket;
pub mod space;
pub mod supervisor;
pub mod terminal;
pub mod title;
pub mod watched;

#[cfg(test)]
#[path = "../../tests/harness/skip.rs"]
pub(crate) mod skip;

#[cfg(test)]
#[path = "../../tests/fuzz/engine.rs"]
pub(crate) mod fuzz;
