//! The minion's configuration file, `minion.toml`.
//!
//! `default.toml` beside this file is the commented file that `func minion --print-config` shows; a
//! test holds it to the defaults below.

mod bounds;
mod file;
mod logs;
mod places;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::{
    bounds::{Calls, Connections, Jobs, Limits, Transfers},
    logs::Log,
    places::Folders,
};
pub(super) use self::{file::Source, logs::Audit, places::DelegationConfig};
use super::Fences;
use crate::{
    access::{AccessRules, Acl, Grants, PublicKey, SignerName},
    config::Listen,
    ids::ModuleName,
    tls::IdentityFiles,
};

/// The commented configuration, in which every key has its default value.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Everything that a minion is told. Paths are absolute once loaded.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinionConfig {
    /// Where to listen.
    pub listen: Listen,
    /// The minion's certificate, its key and the authority it trusts.
    pub identity: IdentityFiles,
    /// Where modules, compiled code, jobs and the audit log lie.
    pub folders: Folders,
    /// Bounds on calls.
    pub calls: Calls,
    /// Bounds on connections.
    pub connections: Connections,
    /// Bounds on what is sent beside calls.
    pub transfers: Transfers,
    /// Bounds on async jobs and on how long they are kept.
    pub jobs: Jobs,
    /// To whom it passes calls on, if to anybody.
    pub overlord: DelegationConfig,
    /// What the daemon gives up when it starts.
    pub fences: Fences,
    /// How much of the audit log is kept.
    pub audit: Audit,
    /// How logs are written.
    pub log: Log,
    /// How much one call of a module may use.
    pub limits: Limits,
    /// Whose modules load.
    pub modules: ModuleTrust,
    /// Keys whose modules load, with names for grants.
    pub signers: BTreeMap<SignerName, PublicKey>,
    /// Who may call what, the first rule that fits decides.
    pub access: AccessRules,
    /// What each module may touch.
    pub grants: Grants,
    /// What each module reads through `minion:host/config`.
    pub settings: BTreeMap<ModuleName, BTreeMap<String, String>>,
    /// What old ACL files allow besides, read with the rest.
    #[serde(skip)]
    pub acl: Acl,
    /// Where all this was read.
    #[serde(skip)]
    pub source: Option<Source>,
}

/// Whose modules load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModuleTrust {
    /// Whether modules load that nobody signed.
    pub unsigned: bool,
    /// Public keys whose modules load, beside those that have a name in `signers`.
    pub trusted: Vec<PublicKey>,
    /// Whether overlords may push modules, which load only as any other would.
    pub push: bool,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    #[test]
    fn the_commented_file_holds_the_defaults() {
        let written: MinionConfig = config::parse(DEFAULT_TOML, Path::new("default.toml")).unwrap();
        assert_eq!(written, MinionConfig::default());
    }

    #[test]
    fn every_key_stands_in_the_commented_file() {
        let keys = [
            "listen",
            "certificate",
            "key",
            "authority",
            "revoked",
            "modules",
            "cache",
            "jobs",
            "replaced",
            "incoming",
            "push",
            "state",
            "audit",
            "per_caller",
            "in_all",
            "at_once",
            "timeout",
            "largest_request",
            "handshake_timeout",
            "header_timeout",
            "body_timeout",
            "idle_timeout",
            "workers",
            "queue",
            "keep",
            "keep_unfetched",
            "keep_bytes",
            "results",
            "drop",
            "no_new_privileges",
            "file_bytes",
            "file_age",
            "keep_files",
            "level",
            "format",
        ];
        for key in keys {
            let stands = DEFAULT_TOML.lines().any(|line| line.starts_with(&format!("{key} = ")));
            assert!(stands, "{key} is missing");
        }
    }

    #[test]
    fn a_place_to_listen_has_a_host_and_a_port() {
        let error = config::parse::<MinionConfig>("listen = \"here\"", Path::new("minion.toml")).unwrap_err();
        assert!(error.to_string().contains("listen = ") && error.to_string().contains("no place to listen"), "{error}");
        for good in ["0.0.0.0:51234", "[::]:0", "[::1]:51234", "localhost:51234", "web-1.example:1"] {
            assert_eq!(good.parse::<Listen>().unwrap().as_str(), good);
        }
        for wrong in
            ["", ":1", "0.0.0.0", "0.0.0.0:", "0.0.0.0:65536", "0.0.0.0:http", "::1:51234", "[::1:51234", "a b:1"]
        {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }
}
