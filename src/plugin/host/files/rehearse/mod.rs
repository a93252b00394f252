//! Files in a check: looks that see what was planned, and changes that are only planned.
//!
//! A change is judged as it always is: the path, the size, the mode, the grant. What is there already is
//! shown to the caller by size and digest, and line by line only where the module may read it itself.

mod changes;
mod looks;
mod target;

pub(super) use changes::{Planning, append, create, make_dir, remove, write};
pub(super) use looks::{exists, list, read, read_link, read_part, read_text, stat, stat_link};
