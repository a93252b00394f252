//! What is kept of what a minion says.

use serde::Deserialize;

use super::bounds::some;
use crate::{
    config::{ByteSize, Period},
    telemetry,
};

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
