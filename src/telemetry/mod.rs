//! Where the programs' own logs go.
//!
//! Everything below `cli` logs through `tracing` and prints nothing. Daemons write to standard error
//! as text for people, or as JSON lines for collectors; commands stay silent but for warnings.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends this process's logs to standard error, from `level` up (`FUNC_LOG` overrides it, in the
/// syntax of `tracing_subscriber::EnvFilter`). A second call changes nothing.
pub fn start(format: Format, level: &str) {
    let filter = EnvFilter::try_from_env("FUNC_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // An error means that a subscriber is in place already: a test's, or an earlier call's.
    let _ = match format {
        Format::Text => lines.with_target(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
}

/// An error with its causes, in one line. A cause that its effect's text already ends with is not repeated.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let why = inner.to_string();
        if !text.ends_with(&why) {
            text = format!("{text}: {why}");
        }
        cause = inner.source();
    }
    text
}
