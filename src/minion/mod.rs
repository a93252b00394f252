//! The minion daemon: it serves calls, authorises and audits them.
//!
//! ```text
//! listener ─▶ TLS: a certificate of our CA, or no connection
//!          ─▶ HTTP: bounded heads, bodies, times
//!          ─▶ admit: still valid, of somebody who may call anything?
//!          ─▶ judge: this method with these arguments?
//!          ─▶ dispatch: system.… │ jobs.… │ overlord.… │ async.M.m │ M.m
//!          ─▶ backend: plugin registry and durable jobs (a simulation: native methods, jobs in memory)
//! ```
//!
//! The caller owns the socket and the signal to stop. Nothing that a client does ends the daemon:
//! each connection is a task, each call another, and every wait in them has a bound.

mod activity;
mod backend;
mod blobs;
mod builtin;
mod caller;
mod check;
mod config;
mod connection;
mod delegation;
mod dispatch;
mod entry;
mod error;
mod fences;
mod facts;
mod file_methods;
mod http;
mod identity;
mod install;
mod intake;
mod introspect;
mod job_methods;
mod live;
mod modules;
mod multicall;
mod policy;
#[cfg(test)]
mod promises;
mod rest;
mod rules;
mod run;
mod server;
pub mod sim;
mod sinks;
mod transfers;
mod view;

pub use builtin::RESERVED_MODULES;
pub use check::check;
pub use config::{
    Calls, Connections, DEFAULT_TOML, Folders, Jobs as JobsConfig, Limits, Log, MinionConfig,
    Transfers as TransfersConfig,
};
pub use error::Error;
pub use fences::{Fences, raise_fences};
pub use policy::explain_offline;
pub use run::{UNIT, run, run_with};
