//! Who may call what, whose modules load, what a module may touch, and the record of it.
//!
//! Policy, trust and grants are plain data and pure decisions; the audit log is the only thing here that
//! touches the disk. A denial reaches the caller as a fault that says what the caller may be told,
//! and the log with everything that is known.

mod audit;
mod grants;
mod minisign;
mod policy;
mod signers;

pub use audit::{
    AuditLog, AuditOutcome, AuditRecord, AuditedDenial, Checked, Event, Head, PATIENCE, Reason, Rotation, Written,
    append as append_audit, files as audit_files, summary, verify as verify_audit,
};
pub use grants::{
    Arguments, Bearer, CommandGrant, Grant, Grants, InvalidGrant, NetworkGrant, PathGrant, ServiceGrant, SignalGrant,
    VariableGrant, changes_programs, reserved,
};
pub use minisign::{InvalidKey, InvalidSignature, KeyId, PublicKey, SIGNATURE_SUFFIX, Signature};
pub use policy::{
    AccessRules, Acl, AclError, AclLine, Asked, Asker, Because, Decision, Denied, InvalidPattern, MethodClass, Policy,
    Rule, SubjectHash,
};
pub use signers::{InvalidSignerName, Provenance, SignerName, Signers, Untrusted};
