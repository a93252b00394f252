//! Going on in the background: `func call --no-wait`.
//!
//! The process forks twice before it has started any thread. The caller's half waits for one report from
//! the background half (that the job is durable, say), hands it on and exits; the background half has
//! left the terminal and carries on. The report travels through a pipe, whose end without a report says
//! that the background half died.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use nix::sys::signal::{SigSet, Signal};

use super::{
    descriptor,
    fork::{ForkError, Forked, double_fork},
};

/// No report is longer.
const REPORT_MAX: u64 = 1 << 20;

/// What the background half had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The exit code that the caller's half shall end with.
    pub exit_code: u8,
    /// What it shall print.
    pub text: String,
}

/// Which half of the split process this is.
#[derive(Debug)]
pub enum Detached {
    /// The caller's half; the background has reported.
    Caller(Report),
    /// The background half: without a terminal, its standard streams on `/dev/null`.
    Background(Reporter),
}

/// Why nothing was detached, or nothing is known of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetachError {
    /// The process could not be split.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// The background half ended before it reported.
    #[error("the process in the background ended before it could report")]
    Silent,
    /// A pipe could not be made, read or written.
    #[error("cannot talk to the process in the background")]
    Pipe(#[from] io::Error),
}

/// The background half's way to tell the caller, once.
#[derive(Debug)]
pub struct Reporter(File);

impl Reporter {
    /// Lets the caller's half go: it prints `text` and ends with `exit_code`.
    pub fn report(mut self, exit_code: u8, text: &str) -> io::Result<()> {
        self.0.write_all(&[&[exit_code], text.as_bytes()].concat())
    }
}

/// Splits the process. To be called before tokio, the store or anything else has started a thread.
pub fn detach() -> Result<Detached, DetachError> {
    let (read, write) = descriptor::pipe()?;
    match double_fork()? {
        Forked::Grandchild => {
            drop(read);
            descriptor::null_standard_streams()?;
            Ok(Detached::Background(Reporter(File::from(write))))
        }
        Forked::Caller => {
            drop(write);
            // Ctrl-C does not reach the background half any more. Whoever presses it is told what goes on there.
            SigSet::from(Signal::SIGINT).thread_block().map_err(io::Error::from)?;
            read_report(File::from(read)).map(Detached::Caller)
        }
    }
}

fn read_report(pipe: File) -> Result<Report, DetachError> {
    let mut bytes = Vec::new();
    pipe.take(REPORT_MAX).read_to_end(&mut bytes)?;
    let (&exit_code, text) = bytes.split_first().ok_or(DetachError::Silent)?;
    Ok(Report { exit_code, text: String::from_utf8_lossy(text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_arrives_whole() {
        let (read, write) = descriptor::pipe().unwrap();
        Reporter(File::from(write)).report(7, "job-id\n").unwrap();
        let report = read_report(File::from(read)).unwrap();
        assert_eq!(report, Report { exit_code: 7, text: "job-id\n".to_owned() });
    }

    #[test]
    fn an_end_without_a_report_is_not_taken_for_one() {
        let (read, write) = descriptor::pipe().unwrap();
        drop(Reporter(File::from(write)));
        assert!(matches!(read_report(File::from(read)), Err(DetachError::Silent)));
    }
}
