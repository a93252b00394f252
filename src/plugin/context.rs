//! What a caller gives to a call besides its arguments.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::recording::Replay;
use crate::access::Grant;

/// Everything a call needs besides the method and its arguments.
#[derive(Clone)]
pub struct CallContext {
    /// The minion's job id; a call that is answered at once has one too.
    pub job_id: String,
    /// The name in the caller's certificate.
    pub caller: String,
    /// How long the call may take from now on.
    pub deadline: Duration,
    /// What the module may touch.
    pub grant: Arc<Grant>,
    /// The operator's settings for the module.
    pub settings: Arc<BTreeMap<String, String>>,
    /// How much the call may use.
    pub limits: Limits,
    /// The folder in which modules keep what they keep, each in its own; without one they keep nothing.
    pub state: Option<Arc<Path>>,
    /// Where log lines and progress go.
    pub events: Arc<dyn Events>,
    /// What is done with its calls of host functions.
    pub mode: Mode,
    /// Set by anybody who wants the call to end.
    pub cancelled: Arc<AtomicBool>,
    /// Who advances the epochs.
    pub clock: Clock,
}

impl CallContext {
    /// A call without grants or settings, whose events are dropped.
    pub fn bare(job_id: impl Into<String>, caller: impl Into<String>, deadline: Duration) -> Self {
        Self {
            job_id: job_id.into(),
            caller: caller.into(),
            deadline,
            grant: Arc::default(),
            settings: Arc::default(),
            limits: Limits::default(),
            state: None,
            events: Arc::new(NoEvents),
            mode: Mode::Perform,
            cancelled: Arc::default(),
            clock: Clock::Ticks,
        }
    }
}

/// What is done with a call's calls of host functions.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Mode {
    /// They are performed.
    #[default]
    Perform,
    /// Those that would change the machine are planned instead.
    Check,
    /// They are performed and written down.
    Record,
    /// They are answered from a recording, and nothing is performed.
    Replay(Box<Replay>),
}

/// How a call's time is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// A thread advances the epoch every 10 ms: at each tick the call gives way to others, and ends
    /// if its time is over. The serving engine.
    Ticks,
    /// The first advance of the epoch ends the call. The worker's alarm signal.
    OneShot,
}

/// Where a call's log lines and progress go. Called from within the call, so it must not wait.
pub trait Events: Send + Sync {
    /// One line of the job's log.
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);
    /// How far the method has come. Only the last report counts.
    fn progress(&self, done: u64, total: Option<u64>, note: &str);
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEvents;

impl Events for NoEvents {
    fn log(&self, _: Level, _: &str, _: &[(String, String)]) {}
    fn progress(&self, _: u64, _: Option<u64>, _: &str) {}
}

/// How much a log line matters, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Of interest only to the module's author.
    Trace,
    /// Of interest to somebody who looks for a fault.
    Debug,
    /// What the method did. Also what a module prints on its standard output.
    Info,
    /// It went on, but somebody should know. Also what a module prints on its standard error.
    Warn,
    /// It could not do what it was asked.
    Error,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much one call may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory of the module's instance, all its linear memories and tables together.
    pub memory_bytes: usize,
    /// The result, in bytes of its values.
    pub output_bytes: usize,
    /// Log lines, in bytes, both those the module logs and those it prints.
    pub log_bytes: usize,
    /// What a command may write, for each of its two outputs.
    pub command_bytes: usize,
    /// A file that is read or written whole.
    pub file_bytes: usize,
    /// Names in a directory that is listed.
    pub directory_entries: usize,
    /// What the module keeps for itself, over all its calls.
    pub state_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            output_bytes: 8 << 20,
            log_bytes: 1 << 20,
            command_bytes: 4 << 20,
            file_bytes: 16 << 20,
            directory_entries: 50_000,
            state_bytes: 1 << 20,
        }
    }
}
