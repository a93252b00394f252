//! How much of everything a minion takes.

use serde::{Deserialize, Deserializer, de};

use crate::{
    config::{ByteSize, Period},
    plugin,
    sys::cgroup::Bounds,
};

/// Refuses a bound of nothing, with which the minion would serve nobody.
pub(super) fn some<'de, D: Deserializer<'de>, T: Deserialize<'de> + PartialEq + Default>(
    from: D,
) -> Result<T, D::Error> {
    let bound = T::deserialize(from)?;
    if bound == T::default() { Err(de::Error::custom("it must be more than 0")) } else { Ok(bound) }
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
    /// How much memory a job and all that it starts may have, where jobs have control groups.
    pub memory: Option<ByteSize>,
    /// How many processes and threads, where they have them.
    #[serde(deserialize_with = "some")]
    pub processes: u64,
}

impl Jobs {
    /// Bounds on what belongs to one job.
    pub fn bounds(&self) -> Bounds {
        Bounds { memory: self.memory.map(ByteSize::bytes), processes: Some(self.processes) }
    }
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
            memory: None,
            processes: 4096,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{config, minion::MinionConfig};

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
}
