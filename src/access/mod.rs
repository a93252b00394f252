//! Who may call what, what a module may touch, and the record of both.
//!
//! Policy and grants are plain data and pure decisions; the audit log is the only thing here that
//! touches the disk. A denial reaches the caller as a fault that says what the caller may be told,
//! and the log with everything that is known.

mod audit;
mod grants;
mod policy;

pub use audit::{AuditLog, AuditOutcome, AuditRecord, summary};
pub use grants::{CommandGrant, Grant, Grants, InvalidGrant, PathGrant};
pub use policy::{Denied, Policy};
