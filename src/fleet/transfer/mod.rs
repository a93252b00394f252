//! Bytes to and from one host: the overlord's side of [`transfer`](crate::transfer).
//!
//! What is sent has a name by its content, so it may be sent again and again without harm. A connection
//! that breaks is opened anew, and the minion says where to go on; only an attempt that brings nothing at
//! all counts against the host, and a few of those in a row are the end. Transfers use connections of their
//! own, so that calls never wait behind them. To a host that is reached through others they go in pieces, as calls.

mod attempt;
mod channel;
mod fetching;
mod sending;
mod source;
#[cfg(test)]
mod tests;

pub(super) use attempt::{IN_VAIN, PAUSE};
pub(super) use fetching::cannot_write;
pub(super) use sending::{ASKED, cannot_read};

pub use fetching::Fetched;
pub use sending::Sent;
pub use source::Source;
