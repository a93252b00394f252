//! The overlord's configuration file, `overlord.toml`.
//!
//! `default.toml` beside this file shows every key with its default; a test holds it to the defaults below.

use std::path::Path;

use serde::Deserialize;

use super::retention::Keep;
use crate::config::{self, ByteSize, Listen, Period};

/// Everything that an overlord is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How calls are made.
    pub calls: CallSettings,
    /// How long ended jobs are kept.
    pub jobs: JobSettings,
    /// How the daemon serves.
    pub daemon: DaemonSettings,
}

/// How the daemon serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonSettings {
    /// Where it listens for holders of certificates, besides its socket. Nowhere if `None`.
    pub listen: Option<Listen>,
    /// So many connections with a certificate at a time, and as many that have not shown one yet.
    pub connections: usize,
    /// So many of them for one caller.
    pub per_caller: usize,
    /// How long a handshake may take.
    pub handshake_timeout: Period,
    /// How long the head of a request, and then its body, may take to arrive.
    pub request_timeout: Period,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        let (handshake_timeout, request_timeout) = (Period::seconds(10), Period::seconds(30));
        Self { listen: None, connections: 256, per_caller: 128, handshake_timeout, request_timeout }
    }
}

/// How calls are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallSettings {
    /// A call that may change something on more hosts than this is confirmed, where somebody can be asked.
    pub confirm_above: usize,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self { confirm_above: 10 }
    }
}

/// How long ended jobs are kept. Jobs that have not ended are kept whatever stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobSettings {
    /// For so long after its end.
    pub keep_for: Period,
    /// So many of them.
    pub keep: usize,
    /// So many bytes of results.
    pub keep_size: ByteSize,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { keep_for: Period::seconds(90 * 24 * 3600), keep: 10_000, keep_size: ByteSize::mebibytes(1024) }
    }
}

impl JobSettings {
    /// The bounds.
    pub(super) fn bounds(self) -> Keep {
        Keep { age: self.keep_for.duration(), jobs: self.keep, bytes: self.keep_size.bytes() }
    }
}

impl Settings {
    /// Reads the file; without one, the defaults.
    pub fn load(path: &Path) -> Result<Self, config::Error> {
        if path.exists() { config::load(path) } else { Ok(Self::default()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_shows_the_defaults_and_an_unknown_key_is_refused() {
        let read = |text: &str| config::parse::<Settings>(text, Path::new("overlord.toml"));
        assert_eq!(read(include_str!("default.toml")).unwrap(), Settings::default());
        assert_eq!(read("[calls]\nconfirm_above = 3").unwrap().calls.confirm_above, 3);
        assert!(read("[calls]\nconfirm = 3").is_err());
        assert!(read("[daemon]\nlisten = \"nowhere\"").is_err());
        let listen = read("[daemon]\nlisten = \"0.0.0.0:51236\"").unwrap().daemon.listen.unwrap();
        assert_eq!(listen.as_str(), "0.0.0.0:51236");
        let bounds = read("[daemon]\nper_caller = 3\nhandshake_timeout = \"2s\"").unwrap().daemon;
        assert_eq!((bounds.connections, bounds.per_caller, bounds.handshake_timeout), (256, 3, Period::seconds(2)));
        assert_eq!(Settings::load(Path::new("/nonexistent/overlord.toml")).unwrap(), Settings::default());
    }
}
