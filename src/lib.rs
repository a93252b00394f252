//! Func: typed remote execution for fleets.
//!
//! The modules below stand in the order of their layers: a module may use only those above it, and
//! `tests/architecture.rs` holds the tree to that.
#![doc = include_str!("README.md")]

pub mod ids;
pub mod sys;
pub mod config;
pub mod telemetry;
pub mod wire;
pub mod tls;
pub mod access;
pub mod transfer;
pub mod ca;
pub mod enrol;
pub mod store;
pub mod plugin;
pub mod jobs;
pub mod fleet;
pub mod overlord;
pub mod daemon;
pub mod minion;
pub mod author;
pub mod cli;
