//! The command line, one file a command; the only module that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "this is where the programs speak and end")]

mod ca;
mod context;
mod entry;
mod exit;
mod failure;
mod hosts;
mod module;
mod outcomes;
mod render;
mod report;

pub use entry::func;
