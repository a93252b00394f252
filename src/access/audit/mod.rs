//! Who called what, when, and what came of it: one JSON line for every call and every denial, chained.
//!
//! ```text
//! call, denial, event ─▶ bounded queue ─▶ one thread ─▶ audit.jsonl ──size, age──▶ audit.jsonl.FIRST, the oldest go
//!        └── waits until its line is written, or the disk hangs ◀──┘ └▶ audit.jsonl.head: number and hash of the last line
//! ```
//!
//! A call to a module has two lines: one before anything of the module runs, which is there even if the call ends
//! the daemon, and one with what came of it, before the caller is answered. The id of the call ties them. A line has
//! reached the kernel, not the disk: it outlives the daemon, and a power cut may take the last ones.
//!
//! **What the chain promises.** Every line ends with its number and a hash over the line before it and itself. So a
//! line that is altered, removed, moved or put in is found by [`verify`], over all files that are kept. Lines cut off
//! the end are found as long as the head file beside the log is not cut back with it, and so is what is written
//! after it by hand. Whoever can write both, root, can write a whole new chain: against that helps only a head that
//! somebody else has noted (`system.audit_head`, `func audit head`); `func audit verify --head` then proves that
//! everything up to it is what it was. No more than that is promised.
//!
//! **What harms nobody.** A log that cannot be written to is told of loudly, and the minion serves on: an operator must
//! be able to reach a machine whose disk is full. A disk that hangs delays a call by [`PATIENCE`] at most, then no
//! call waits until it writes again; what the queue does not hold is counted, and the number written down later.
//! Denials and malformed requests of one caller are written a few a minute, then counted and summed; files are
//! rotated and the oldest removed. So no caller makes the log grow without bound.
//!
//! A daemon that was killed may leave the beginning of a line. The next start cuts it off, says so, and keeps it inside
//! a line of its own.

mod append;
mod chain;
mod ends;
mod event;
mod flood;
mod log;
#[cfg(test)]
mod promises;
mod record;
mod summary;
mod verify;
mod writer;

pub use append::append;
pub use chain::Head;
pub use event::Event;
pub use log::{AuditLog, PATIENCE, Written};
pub use record::{AuditOutcome, AuditRecord, AuditedDenial, Reason};
pub use summary::summary;
pub use verify::{Checked, files, verify};
pub use writer::Rotation;
