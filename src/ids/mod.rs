//! Names and identifiers as types: text that has been checked once, at the door.
//!
//! Every type here parses with `FromStr` and serialises as the same text, so that whoever holds one
//! never asks again whether it is valid. An overlord's job (many hosts) and a minion's job (one
//! host) have types of their own and cannot be mixed up.

mod digest;
mod host;
mod job;
mod method;
mod schedule;
mod serial;
mod text;

pub use digest::Digest;
pub use host::HostName;
pub use job::{MinionJobId, OverlordJobId};
pub use method::{MethodName, ModuleName};
pub use schedule::ScheduleName;
pub use serial::Serial;

/// Why a piece of text is not the name or identifier it was offered as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {why}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    why: &'static str,
}

impl InvalidId {
    /// Keeps at most 80 characters of the offending text, escaped, so that an error never floods a
    /// log or smuggles control characters into a terminal.
    fn new(kind: &'static str, text: &str, why: &'static str) -> Self {
        let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        if text.chars().nth(80).is_some() {
            shown.push('…');
        }
        Self { kind, text: shown, why }
    }
}
