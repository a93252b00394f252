//! Why bytes are not taken.

use std::io;

/// Why bytes are not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// They do not begin where the others end.
    #[error("go on at the offset {offset}")]
    Offset {
        /// Where to begin.
        offset: u64,
    },
    /// There is more or less of it than was said.
    #[error("the body is not of the length that its range says")]
    Length,
    /// The whole is something else than was said.
    #[error("the bytes are not those of the digest; all of them were dropped, so send them again")]
    Mismatch,
    /// One caller has too much here.
    #[error("you would have {wanted} bytes staged on this minion, and {most} are allowed")]
    TooMuch {
        /// With these.
        wanted: u64,
        /// The bound.
        most: u64,
    },
    /// All callers together have too much here.
    #[error("the minion has no room for so much now; what nobody uses goes away by itself")]
    NoRoom,
    /// As many transfers are under way as can be.
    #[error("as many transfers are under way as the minion takes at a time; try again later")]
    Busy,
    /// Somebody else sends the same now, for the same caller.
    #[error("another connection has taken over this transfer")]
    Superseded,
    /// The disk does not take them.
    #[error("the minion cannot write what arrives")]
    Write(#[from] io::Error),
}
