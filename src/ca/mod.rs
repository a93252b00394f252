//! The certificate authority: a folder that only its operator can read.
//!
//! | file | what |
//! | --- | --- |
//! | `ca-key.pem` | the CA's private key, mode 0600, perhaps sealed with a passphrase; whoever has it is every overlord |
//! | `ca.pem` | its certificate, which everybody trusts |
//! | `issued.jsonl` | one JSON line for each certificate ever issued, only appended to |
//! | `crl.pem` | the signed list of revoked certificates of each authority, once there are any |
//! | `rotation.json`, `next-ca*.pem`, `old-ca*.pem`, `cross-ca.pem` | another authority on its way; see `rotation` |
//! | `requests/NAME.json` | who has asked to belong, and what has become of it |
//! | `tokens/DIGEST.json` | the tokens that were made, by the digest of their secret |
//! | `audit.jsonl`, `audit.jsonl.head` | one JSON line for each change and each refusal, chained |
//!
//! A certificate is written to the index, durably, before anybody gets it: what can be presented can
//! be named, and so revoked. The inventory, which knows where each minion listens, is a file of its
//! own, because people edit it.

mod address;
mod audit;
mod authority;
mod enrolment;
mod error;
mod index;
mod inventory;
mod key;
mod lock;
mod name_glob;
mod opening;
mod own;
mod profile;
mod renewal;
mod revoke;
mod rotation;
mod signing_request;
mod token;
mod tokens;

#[cfg(test)]
mod promises;

pub use address::{Address, DEFAULT_PORT, InvalidAddress};
pub use audit::FILE as AUDIT_FILE;
pub use authority::{Authority, IssueRequest, Issued};
pub use enrolment::{EnrolmentRules, Joining, Pending, State, Verdict};
pub use error::Error;
pub use index::Entry;
pub use inventory::{Host, Inventory};
pub use key::{EmptyPassphrase, Passphrase};
pub use name_glob::{InvalidGlob, NameGlob};
pub use own::{finish_own, own_is_due};
pub use rotation::{Held, Left, Rotation, Stage, Straggler};
pub use signing_request::{InvalidRequest, SigningRequest, comparison, comparison_of, key_of};
pub use token::{InvalidToken, Secret, Token};
