//! Who may call what, and what modules may touch.

mod grants;

pub use grants::{CommandGrant, Grant, Grants, InvalidGrant, PathGrant};
