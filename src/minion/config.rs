//! The minion's configuration file, `minion.toml`.
//!
//! `default.toml` beside this file is the commented file that `func minion --print-config` shows; a
//! test holds it to the defaults below.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::Fences;
use crate::access::{AccessRules, Acl, Grants, Policy, PublicKey, SignerName, Signers};
use crate::config::{self, ByteSize, Home, Listen, Period};
use crate::ids::{Digest, ModuleName};
use crate::plugin;
use crate::telemetry;

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

/// The file of a configuration, to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    home: Home,
    /// What was said elsewhere in its place.
    listen: Option<Listen>,
}

impl Source {
    /// What it says now.
    pub fn read(&self) -> Result<MinionConfig, config::Error> {
        let mut config = MinionConfig::load(&self.path, &self.home)?;
        if let Some(listen) = &self.listen {
            config.listen_on(listen.clone());
        }
        Ok(config)
    }
}

/// Refuses a bound of nothing, with which the minion would serve nobody.
fn some<'de, D: Deserializer<'de>, T: Deserialize<'de> + PartialEq + Default>(from: D) -> Result<T, D::Error> {
    let bound = T::deserialize(from)?;
    if bound == T::default() { Err(de::Error::custom("it must be more than 0")) } else { Ok(bound) }
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityFiles {
    /// The minion's own certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the authority whose overlords may call.
    pub authority: PathBuf,
    /// The authority's list of revoked certificates; need not exist.
    pub revoked: PathBuf,
}

impl Default for IdentityFiles {
    fn default() -> Self {
        Self {
            certificate: "identity/cert.pem".into(),
            key: "identity/key.pem".into(),
            authority: "identity/ca.pem".into(),
            revoked: "identity/crl.pem".into(),
        }
    }
}

/// Folders and files of a minion's state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folders {
    /// The plugin folder: what is dropped here is served.
    pub modules: PathBuf,
    /// Compiled modules; only the daemon writes here.
    pub cache: PathBuf,
    /// One file for each async job.
    pub jobs: PathBuf,
    /// Versions of modules that pushes have replaced.
    pub replaced: PathBuf,
    /// Where what is sent beside calls arrives.
    pub incoming: PathBuf,
    /// What modules keep for themselves.
    pub state: PathBuf,
    /// The audit log.
    pub audit: PathBuf,
    /// Where ACL files of older installations lie, if there are any.
    pub acl: Option<PathBuf>,
}

impl Default for Folders {
    fn default() -> Self {
        Self {
            modules: "modules".into(),
            cache: "cache".into(),
            jobs: "jobs".into(),
            replaced: "replaced".into(),
            incoming: "incoming".into(),
            state: "state".into(),
            audit: "audit.jsonl".into(),
            acl: None,
        }
    }
}

/// Bounds on calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// How many run at once; more wait their turn within their own time limit.
    #[serde(deserialize_with = "some")]
    pub at_once: usize,
    /// How long a plain call may take.
    #[serde(deserialize_with = "some")]
    pub timeout: Period,
    /// The largest request body that is read.
    #[serde(deserialize_with = "some")]
    pub largest_request: ByteSize,
}

impl Default for Calls {
    fn default() -> Self {
        Self { at_once: 64, timeout: Period::seconds(60), largest_request: ByteSize::mebibytes(16) }
    }
}

/// Bounds on connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// How many callers are connected at once; further ones wait, no longer than a handshake may take.
    #[serde(deserialize_with = "some")]
    pub at_once: usize,
    /// How many of them one caller may have; further ones of its are closed.
    #[serde(deserialize_with = "some")]
    pub per_caller: usize,
    /// For the TLS handshake.
    #[serde(deserialize_with = "some")]
    pub handshake_timeout: Period,
    /// For the head of a request to arrive whole.
    #[serde(deserialize_with = "some")]
    pub header_timeout: Period,
    /// For the body of a request to arrive whole.
    #[serde(deserialize_with = "some")]
    pub body_timeout: Period,
    /// After which a silent connection is closed.
    #[serde(deserialize_with = "some")]
    pub idle_timeout: Period,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            at_once: 1024,
            per_caller: 512,
            handshake_timeout: Period::seconds(10),
            header_timeout: Period::seconds(10),
            body_timeout: Period::seconds(60),
            idle_timeout: Period::seconds(300),
        }
    }
}

/// Bounds on what is sent beside calls: modules and files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transfers {
    /// How many are under way at once.
    #[serde(deserialize_with = "some")]
    pub at_once: usize,
    /// How much one caller may have staged.
    #[serde(deserialize_with = "some")]
    pub per_caller: ByteSize,
    /// How much all callers together may have staged.
    #[serde(deserialize_with = "some")]
    pub in_all: ByteSize,
    /// How long what was begun and not finished is kept.
    pub keep: Period,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            at_once: 16,
            per_caller: ByteSize::mebibytes(8 << 10),
            in_all: ByteSize::mebibytes(16 << 10),
            keep: Period::seconds(24 * 3600),
        }
    }
}

/// Async jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// How many workers run at once.
    #[serde(deserialize_with = "some")]
    pub workers: usize,
    /// How many accepted jobs wait for a worker; beyond that the answer is "busy".
    pub queue: usize,
    /// How long a job may take, from its acceptance.
    #[serde(deserialize_with = "some")]
    pub timeout: Period,
    /// How long a finished job is kept after its result was fetched.
    pub keep: Period,
    /// How long a finished job is kept whose result nobody fetched.
    pub keep_unfetched: Period,
    /// How much room finished jobs may take before the oldest fetched ones go.
    pub keep_bytes: ByteSize,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            workers: 64,
            queue: 1000,
            timeout: Period::seconds(3600),
            keep: Period::seconds(24 * 3600),
            keep_unfetched: Period::seconds(7 * 24 * 3600),
            keep_bytes: ByteSize::mebibytes(256),
        }
    }
}

/// A minion that is an overlord too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationConfig {
    /// Those that it passes calls on to; without it, it passes on nothing.
    pub inventory: Option<PathBuf>,
    /// Where the results of jobs that were passed on wait.
    pub results: PathBuf,
}

impl Default for DelegationConfig {
    fn default() -> Self {
        Self { inventory: None, results: "delegated".into() }
    }
}

/// The audit log, whose place is among the folders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// A file that is larger is put aside.
    #[serde(deserialize_with = "some")]
    pub file_bytes: ByteSize,
    /// One that is older, too.
    #[serde(deserialize_with = "some")]
    pub file_age: Period,
    /// So many that were put aside are kept.
    pub keep_files: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Self { file_bytes: ByteSize::mebibytes(64), file_age: Period::seconds(30 * 24 * 3600), keep_files: 12 }
    }
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter as `tracing_subscriber` reads it.
    pub level: String,
    /// `text` or `json`.
    pub format: telemetry::Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: telemetry::Format::Text }
    }
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

/// How much one call of a module may use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory, all of the module's memories and tables together.
    #[serde(deserialize_with = "some")]
    pub memory: ByteSize,
    /// The result.
    #[serde(deserialize_with = "some")]
    pub output: ByteSize,
    /// Log lines.
    pub log: ByteSize,
    /// Each of the two outputs of a program that it runs.
    pub command: ByteSize,
    /// A file that it reads or writes whole.
    pub file: ByteSize,
    /// Names in a folder that it lists.
    pub directory_entries: usize,
    /// What it keeps for itself, all of it together and over all its calls.
    pub state: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = plugin::Limits::default();
        let size = |bytes: usize| ByteSize::from(bytes as u64);
        Self {
            memory: size(limits.memory_bytes),
            output: size(limits.output_bytes),
            log: size(limits.log_bytes),
            command: size(limits.command_bytes),
            file: size(limits.file_bytes),
            directory_entries: limits.directory_entries,
            state: size(limits.state_bytes),
        }
    }
}

impl Limits {
    /// The limits as the plugin host takes them.
    pub fn for_plugins(&self) -> plugin::Limits {
        plugin::Limits {
            memory_bytes: self.memory.in_memory(),
            output_bytes: self.output.in_memory(),
            log_bytes: self.log.in_memory(),
            command_bytes: self.command.in_memory(),
            file_bytes: self.file.in_memory(),
            directory_entries: self.directory_entries,
            state_bytes: self.state.in_memory(),
        }
    }
}

impl MinionConfig {
    /// Reads `path`. Relative paths in it are taken from the home's state folder.
    pub fn load(path: &Path, home: &Home) -> Result<Self, config::Error> {
        let mut config = config::load::<Self>(path)?.below(home.state());
        config.source = Some(Source { path: path.to_owned(), home: home.clone(), listen: None });
        config.check_names(path)?;
        if let Some(folder) = &config.folders.acl {
            config.acl = Acl::read_folder(folder).map_err(|error| config::Error::Invalid {
                path: folder.clone(),
                message: std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
            })?;
        }
        Ok(config)
    }

    /// The same, or the defaults when there is no such file.
    pub fn load_or_default(path: &Path, home: &Home) -> Result<Self, config::Error> {
        match Self::load(path, home) {
            Err(config::Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                let source = Some(Source { path: path.to_owned(), home: home.clone(), listen: None });
                Ok(Self { source, ..Self::default().below(home.state()) })
            }
            loaded => loaded,
        }
    }

    /// The digest of the file that this was read from, as it is now.
    pub(super) fn digest(&self) -> Option<Digest> {
        let source = self.source.as_ref()?;
        std::fs::read(&source.path).ok().map(|bytes| Digest::of(&bytes))
    }

    /// Who may call what.
    pub fn policy(&self) -> Policy {
        Policy::new(self.access.clone(), self.acl.clone())
    }

    /// Whose modules load.
    pub fn trust(&self) -> Signers {
        Signers::new(&self.signers, self.modules.trusted.iter().copied(), self.modules.unsigned)
    }

    /// Whether `text` could stand in `path`.
    pub fn check_text(text: &str, path: &Path, home: &Home) -> Result<(), config::Error> {
        config::parse::<Self>(text, path)?.below(home.state()).check_names(path)
    }

    /// Listens there, whatever the file says now or later.
    pub fn listen_on(&mut self, listen: Listen) {
        if let Some(source) = &mut self.source {
            source.listen = Some(listen.clone());
        }
        self.listen = listen;
    }

    /// Whether more than rules, grants, settings and signers is different, which only a new start takes.
    pub(super) fn differs_beyond_rules(&self, other: &Self) -> bool {
        let mut same = other.clone();
        same.grants = self.grants.clone();
        same.settings = self.settings.clone();
        same.access = self.access.clone();
        same.acl = self.acl.clone();
        same.folders.acl.clone_from(&self.folders.acl);
        same.signers = self.signers.clone();
        same.modules = self.modules.clone();
        same != *self
    }

    /// Refuses grants for a signer that nobody is.
    fn check_names(&self, path: &Path) -> Result<(), config::Error> {
        match self.grants.signers().find(|(_, signer)| !self.signers.contains_key(*signer)) {
            None => Ok(()),
            Some((module, signer)) => Err(config::Error::Invalid {
                path: path.to_owned(),
                message: format!("[grants.{module}] is for the signer `{signer}`, who is not in [signers]"),
            }),
        }
    }

    fn below(mut self, state: &Path) -> Self {
        let IdentityFiles { certificate, key, authority, revoked } = &mut self.identity;
        let Folders { modules, cache, jobs, replaced, incoming, state: kept, audit, acl } = &mut self.folders;
        for path in [certificate, key, authority, revoked, modules, cache, jobs, replaced, incoming, kept, audit] {
            *path = state.join(&*path);
        }
        let DelegationConfig { inventory, results } = &mut self.overlord;
        *results = state.join(&*results);
        for path in inventory.iter_mut().chain(acl) {
            *path = state.join(&*path);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_bound_of_nothing_is_refused_by_its_key() {
        let read = |text: &str| config::parse::<MinionConfig>(text, Path::new("minion.toml"));
        for (table, key, zero) in [
            ("jobs", "workers", "0"),
            ("jobs", "timeout", "\"0s\""),
            ("calls", "at_once", "0"),
            ("calls", "timeout", "\"0s\""),
            ("calls", "largest_request", "\"0\""),
            ("connections", "at_once", "0"),
            ("connections", "handshake_timeout", "\"0s\""),
            ("limits", "memory", "\"0\""),
            ("limits", "output", "\"0MiB\""),
        ] {
            let error = read(&format!("[{table}]\n{key} = {zero}\n")).unwrap_err().to_string();
            assert!(error.contains(&format!("{key} = {zero}")) && error.contains("more than 0"), "{error}");
        }
        read("[jobs]\nqueue = 0\nkeep = \"0s\"\n[limits]\nlog = \"0\"\n").unwrap();
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

    #[test]
    fn relative_paths_lie_below_the_state_folder() {
        let config = MinionConfig::load_or_default(Path::new("/no/such/file"), &Home::at("/srv/func")).unwrap();
        assert_eq!(config.folders.modules, Path::new("/srv/func/modules"));
    }
}
