//! How a new machine comes to belong: the door of an authority, and the way through it.
//!
//! ```text
//! funcd join ──TLS 1.3: the authority is the pinned one, or nothing is sent──▶ door
//!            ──POST /enrol {request, secret, address}──▶ bounded in size, time, number ──▶ ca decides
//!            ◀──{signed, certificate} │ {pending} │ {refused, why}──
//! ```
//!
//! The door asks for no certificate, because whoever comes has none; so it is a listener of its own, apart from everything
//! that takes calls. Whoever owns the socket and the signal to stop hosts it: today the command `func ca serve`.
//!
//! Minions of the original Func ask in plain HTTP, by the XML-RPC method `wait_for_cert(csr)`, and are answered `[signed,
//! certificate, CA's certificate]` with `[false, "", ""]` until the operator has signed. That is off unless asked for, because
//! such a minion cannot tell this authority from another. It comes to the same port: TLS begins with another byte.

mod client;
mod door;
mod limit;
mod message;

#[cfg(test)]
mod promises;
#[cfg(test)]
mod strangers;

pub use client::{Error, Joined, Joiner, State};
pub use door::{Door, DoorConfig};
pub use limit::Limits;
pub use message::{Answer, Ask};

/// The port of an authority's door: that of the original Func.
pub const PORT: u16 = 51235;
