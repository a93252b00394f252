//! Func: typed remote execution for fleets.
//!
//! The modules below stand in the order of their layers: a module may use only those above it, and
//! `tests/architecture.rs` holds the tree to that.
#![doc = include_str!("README.md")]

pub mod access;
pub mod author;
pub mod ca;
pub mod cli;
pub mod config;
pub mod fleet;
pub mod ids;
pub mod jobs;
pub mod minion;
pub mod overlord;
pub mod plugin;
pub mod store;
pub mod sys;
pub mod telemetry;
pub mod tls;
pub mod wire;
