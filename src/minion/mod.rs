//! The minion daemon: it serves calls, authorises and audits them.

mod config;

pub use config::{
    Calls, Connections, DEFAULT_TOML, Folders, IdentityFiles, Jobs as JobsConfig, Limits, Listen, Log, MinionConfig,
};
