//! What a process gives up for good, so that nobody who takes it over has it.
//!
//! | file | fence | a kernel without it |
//! | --- | --- | --- |
//! | `files` | landlock: files, TCP ports, signals | goes on without; an older one keeps the part that it knows |
//! | `calls` (compiled by `filter`) | seccomp: system calls that no module's work needs | goes on without |
//! | `capabilities` | the parts of root's power | every kernel has it |
//! | `limits` | rlimits | every kernel has it |
//!
//! A fence that the kernel has and that cannot be raised is an error. Each holds for the calling thread and what it
//! starts from then on, so a process raises them while it has one thread. [`Available`] says which there are.

mod calls;
mod capabilities;
mod files;
mod filter;
mod limits;

pub use calls::{Calls, Modes};
pub use capabilities::{
    Capability, InvalidCapability, drop_capabilities, effective_capabilities, keep_capabilities, know_capabilities,
    still_has,
};
pub use files::{Connect, Reach};
pub use limits::limit;

use std::fmt;

/// The fences that this kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Available {
    /// The version of landlock; 0 where there is none.
    pub landlock: u32,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
}

impl Available {
    /// Asks the kernel.
    pub fn ask() -> Self {
        Self { landlock: files::version(), seccomp: calls::available() }
    }
}

impl fmt::Display for Available {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.landlock {
            0 => write!(to, "landlock no (the kernel has none)")?,
            version => write!(to, "landlock ABI {version}")?,
        }
        write!(to, ", seccomp {}", if self.seccomp { "yes" } else { "no (the kernel has none)" })
    }
}

#[cfg(test)]
mod tests;
