//! The exit codes, as documented in the README.

use std::process::ExitCode;

/// What became of a command, as its exit code tells scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// All went well on every host.
    Ok = 0,
    /// Some host failed.
    SomeFailed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A configuration file or an argument names something that cannot be used.
    Configuration = 3,
    /// No identity, or one that cannot be used.
    Identity = 4,
    /// The target matches no host, or no host that it matches meets the filter.
    NoHost = 5,
    /// No host could be reached.
    NobodyReachable = 6,
    /// The job goes on: the wait timed out, or Ctrl-C left it to itself.
    StillRunning = 7,
    /// A fault of Func's own.
    Internal = 70,
}

impl Exit {
    /// The kind of an exit code that another half of this program reported.
    pub(super) fn of_code(code: u8) -> Self {
        let all = [
            Self::Ok,
            Self::SomeFailed,
            Self::Usage,
            Self::Configuration,
            Self::Identity,
            Self::NoHost,
            Self::NobodyReachable,
            Self::StillRunning,
        ];
        all.into_iter().find(|exit| *exit as u8 == code).unwrap_or(Self::Internal)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
