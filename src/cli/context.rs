//! What every command has at hand.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, Write};

use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::report::Report;
use crate::config::Home;

/// The home, and how to answer.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// Where state and configuration lie.
    pub(super) home: Home,
    /// Whether data is printed as JSON.
    pub(super) json: bool,
}

impl Context {
    /// Runs a future to its end on a runtime made for it. Ctrl-C ends the process as usual, unless
    /// the future listens for it.
    pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(Exit::Internal)?;
        let result = runtime.block_on(future);
        // What is still blocked in a thread (a name look-up, say) must not hold up the answer.
        runtime.shutdown_background();
        result
    }

    /// The same, and when it returns the process has one thread again, as before.
    pub(super) fn block_on_this_thread<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(Exit::Internal)?.block_on(future)
    }

    /// Prints a line on standard error.
    pub(super) fn say(text: impl std::fmt::Display) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Prints a warning on standard error: nothing failed, but something is likely not as it was meant.
    pub(super) fn warn(text: impl Display) {
        let _ = writeln!(anstream::stderr(), "warning: {text}");
    }

    /// Prints the report on standard output.
    pub(super) fn print(&self, report: &dyn Report) -> Result<Exit, Failure> {
        let mut out = anstream::stdout().lock();
        let written = if self.json {
            match report.json() {
                serde_json::Value::Null => Ok(()),
                data => {
                    serde_json::to_writer_pretty(&mut out, &data).map_err(io::Error::from).and_then(|()| writeln!(out))
                }
            }
        } else {
            report.text(&mut out)
        };
        match written.and_then(|()| out.flush()) {
            // The reader has seen enough: `func job list | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(report.exit()),
            Err(error) => {
                let why =
                    format!("cannot write to standard output: {error}; this was to be written: {}", report.json());
                Err(Failure::new(Exit::Configuration, why))
            }
            Ok(()) => Ok(report.exit()),
        }
    }
}
