//! The certificate authority: a folder that only its operator can read.
//!
//! | file | what |
//! | --- | --- |
//! | `ca-key.pem` | the CA's private key, mode 0600; whoever has it is every overlord |
//! | `ca.pem` | its certificate, which everybody trusts |
//! | `issued.jsonl` | one JSON line for each certificate ever issued, only appended to |
//! | `crl.pem` | the signed list of revoked certificates, once there are any |
//!
//! A certificate is written to the index, durably, before anybody gets it: what can be presented can
//! be named, and so revoked. The inventory, which knows where each minion listens, is a file of its
//! own, because people edit it.

mod address;
mod authority;
mod error;
mod index;
mod inventory;
mod lock;
mod profile;
mod revoke;

#[cfg(test)]
mod promises;

pub use address::{Address, DEFAULT_PORT, InvalidAddress};
pub use authority::{Authority, IssueRequest, Issued};
pub use error::Error;
pub use index::Entry;
pub use inventory::{Host, Inventory};
