//! The client against small servers that behave well or badly on purpose.

mod census;
mod fetching;
mod hostile;
mod outcomes;
pub(crate) mod server;
