//! Typed tables on disk, and the only place that names sled.
//!
//! What is answered is durable. sled's own `flush` ends in `sync_file_range`, which survives a killed process but not a
//! power cut, so a commit here is: write one atomic batch, flush, `sync_data()` on sled's file, and only then answer.
//! Transactions that arrive while a commit is under way share the next one (group commit).
//!
//! ```text
//! DIR/store.lock          one process at a time: blocking, held around sled's own lock
//! DIR/data/format         what this folder is, and the store's identity
//! DIR/data/witness        the last commit, as seen from outside sled, and whether the store was closed cleanly
//! DIR/data/sled/          small values
//! DIR/data/big/           values over 16 kB, one file each: sled does not give their space back
//! DIR/broken-DATE/        a `data` folder that could not be trusted, set aside whole; `db.as-found` in it is sled's file
//!                         before sled opened it, if somebody had changed it since it was last closed
//! ```
//!
//! sled recovers from damage by silently forgetting rows (a file cut short or overwritten opens as an empty store, with
//! no error), so the checks that matter are ours: the identity and the number of commits and rows are stored inside and
//! compared with what stands outside. A store that fails them is set aside under a dated name, a fresh one is opened, and
//! the caller is told in an [`Opening`]; nothing is deleted.
//!
//! Two ways in: [`Store`] keeps the store open on a thread of its own (for a daemon), [`once`] opens, acts and closes (for
//! short-lived commands that must leave the store to others). Both take a closure over [`Tables`], which reads and writes
//! as one transaction.

mod big;
mod disk;
mod error;
mod handle;
mod head;
mod lock;
mod open;
mod opening;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod witness;

pub use error::Error;
pub use handle::{Store, once};
pub use open::exists;
pub use opening::{Opening, SetAside};
pub use table::{Key, Table};
pub use tables::{Readable, Rows, Sorted, Tables, Unreadable};
