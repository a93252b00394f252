//! What the audit log says besides calls.

use jiff::Timestamp;
use serde::Serialize;

use super::{AuditOutcome, Head};
use crate::ids::Digest;

/// Something that happened to the minion or to its log.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The minion serves from now on.
    Started {
        /// Its version.
        version: &'static str,
        /// The digest of its configuration file, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        config: Option<Digest>,
    },
    /// The minion was told to stop, and does.
    Stopped,
    /// What the configuration allows has changed, and is in force.
    Reload {
        /// The parts that are different.
        changed: Vec<&'static str>,
        /// The digest of the file.
        #[serde(skip_serializing_if = "Option::is_none")]
        config: Option<Digest>,
    },
    /// A changed configuration cannot be used; what was in force stays.
    ReloadRefused {
        /// Why.
        error: String,
    },
    /// What a module may touch has changed.
    Grant {
        /// The module, or what else has grants.
        module: String,
        /// What it was granted.
        before: Vec<String>,
        /// What it is granted now.
        after: Vec<String>,
    },
    /// Requests of one caller that have no lines of their own, because there were so many.
    Repeated {
        /// The name in the caller's certificate.
        caller: String,
        /// Its serial number.
        serial: String,
        /// What came of them.
        outcome: AuditOutcome,
        /// How many.
        count: u64,
        /// Since when.
        since: Timestamp,
    },
    /// So many lines could not be written.
    Lost {
        /// How many.
        lines: u64,
    },
    /// How the log was found at a start, where it is not as it was left.
    Found {
        /// The beginning of a line that was never finished, which was cut off.
        #[serde(skip_serializing_if = "Option::is_none")]
        torn: Option<String>,
        /// The last line that was written according to the head file, where it is not the last that is there.
        #[serde(skip_serializing_if = "Option::is_none")]
        head: Option<Head>,
        /// So many lines before this one are missing.
        missing: u64,
        /// The log ended with a line of no chain, and was put aside under this name.
        #[serde(skip_serializing_if = "Option::is_none")]
        unchained: Option<String>,
        /// There were lines, and no head file beside them.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        headless: bool,
    },
    /// The log was replaced or cut while the minion wrote to it; this is the first line of what it goes on with.
    Disturbed {
        /// What was found.
        found: &'static str,
    },
    /// A file was removed because there were enough newer ones.
    Removed {
        /// Its name.
        file: String,
        /// The number of its last line, and its hash.
        last: Head,
    },
}

/// An event, and when it happened.
#[derive(Debug, Serialize)]
pub(super) struct Dated<'a> {
    pub(super) time: Timestamp,
    #[serde(flatten)]
    pub(super) event: &'a Event,
}

impl Event {
    /// As JSON, to be sealed.
    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&Dated { time: Timestamp::now(), event: self }).unwrap_or_default()
    }
}
