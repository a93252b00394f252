//! Lines for the job's log.

use crate::job::{self, Level};

/// Logs at a level, with fields.
pub fn line(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    job::log(level, message, &fields);
}

/// Logs what only somebody who looks for a fault wants to know.
pub fn debug(message: &str) {
    line(Level::Debug, message, &[]);
}

/// Logs what the method did.
pub fn info(message: &str) {
    line(Level::Info, message, &[]);
}

/// Logs what somebody should know although the method went on.
pub fn warn(message: &str) {
    line(Level::Warn, message, &[]);
}

/// Logs what kept the method from doing what it was asked.
pub fn error(message: &str) {
    line(Level::Error, message, &[]);
}
