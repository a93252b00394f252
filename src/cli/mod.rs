//! The command line, one file a command; the only module that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "this is where the programs speak and end")]

mod acl;
mod arguments;
mod asking;
mod budget;
mod ca;
mod call;
mod check;
mod context;
mod copy;
mod daemon;
mod delivery;
mod demo;
mod doc;
mod entry;
mod exit;
mod failure;
mod fetch;
mod fleet_options;
mod follow;
mod group;
mod handing_out;
mod hints;
mod hosts;
mod job;
mod job_list;
mod job_show;
mod join;
mod minion;
mod module;
mod modules;
mod outcomes;
mod ping;
mod place;
mod progress;
mod render;
mod report;
mod retry;
mod rollout_options;
mod shape;
mod signature;
mod sim;
mod standing;
mod stop;
mod usage;

pub use entry::{command_line, func, funcd};
