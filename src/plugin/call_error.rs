//! Why a call has no result.

use std::time::Duration;

use super::{mask::Mask, values::Mismatch};
use crate::wire::RemoteError;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The plugin has no such method.
    #[error("there is no method `{method}`")]
    NoMethod {
        /// The method.
        method: String,
    },
    /// The function exists but cannot be called from the wire.
    #[error("`{method}` cannot be called: {why}")]
    Uncallable {
        /// The method.
        method: String,
        /// The reason.
        why: String,
    },
    /// Too few or too many arguments.
    #[error("`{method}` takes {wanted}, not {given}: {signature}")]
    ArgumentCount {
        /// The method.
        method: String,
        /// How many it takes, in words.
        wanted: String,
        /// How many there were.
        given: usize,
        /// The method with its parameters and their types.
        signature: String,
    },
    /// An argument does not fit its parameter.
    #[error("argument `{place}`: {why}")]
    Argument {
        /// The parameter and the path inside it: `spec.env[2]`.
        place: String,
        /// What was wanted and what was given.
        why: String,
    },
    /// The method itself answered with an error.
    #[error("{message}")]
    Failed {
        /// The kind of error, for programs.
        kind: String,
        /// What the method's author wrote.
        message: String,
        /// The whole error as JSON, where it says more than the message.
        detail: String,
    },
    /// The module broke off: a panic, a division by zero, endless recursion.
    #[error("{message}")]
    Trapped {
        /// The panic's message, else the kind of trap.
        message: String,
        /// Where in the module.
        frame: Option<String>,
        /// The whole WebAssembly trace.
        trace: String,
    },
    /// The call's time is over.
    #[error("the call took longer than {}", seconds(*after))]
    TimedOut {
        /// The time it had.
        after: Duration,
    },
    /// Somebody cancelled the call.
    #[error("the call was cancelled")]
    Cancelled,
    /// The module wanted more memory than it may have and did not survive the refusal.
    #[error("the module wanted more than its {} MiB of memory", limit >> 20)]
    OutOfMemory {
        /// The limit in bytes.
        limit: usize,
    },
    /// The result is larger than the limit.
    #[error("the result is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The result is within the limit, and more than any reader of the wire takes.
    #[error("the result is too large to be sent: `{place}`: {why}")]
    TooLargeToSend {
        /// The path inside the result.
        place: String,
        /// Which of the wire's bounds.
        why: String,
    },
    /// The wire has no way to carry the result.
    #[error("the result cannot be sent: `{place}`: {why}")]
    Unsendable {
        /// The path inside the result.
        place: String,
        /// The reason.
        why: String,
    },
    /// Too many calls at once, for the host to hold one more instance.
    #[error("the host has no room for one more instance of the module: {why}")]
    Busy {
        /// wasmtime's reason.
        why: String,
    },
    /// The module could not be started.
    #[error("the module does not start: {why}")]
    Start {
        /// The reason.
        why: String,
    },
}

impl CallError {
    pub(super) fn argument(name: &str, mismatch: &Mismatch) -> Self {
        Self::Argument { place: mismatch.place(name), why: mismatch.what().to_owned() }
    }

    /// The kind of error, as callers' programs know it.
    pub fn kind(&self) -> &str {
        match self {
            Self::NoMethod { .. } => "NoSuchMethod",
            Self::Uncallable { .. } => "NotCallable",
            Self::ArgumentCount { .. } | Self::Argument { .. } => "InvalidArguments",
            Self::Failed { kind, .. } => kind,
            Self::Trapped { .. } => "Trap",
            Self::TimedOut { .. } => "TimedOut",
            Self::Cancelled => "Cancelled",
            Self::OutOfMemory { .. } => "OutOfMemory",
            Self::TooLarge { .. } | Self::TooLargeToSend { .. } => "ResultTooLarge",
            Self::Unsendable { .. } => "ResultUnsendable",
            Self::Busy { .. } => "Busy",
            Self::Start { .. } => "ModuleStart",
        }
    }

    /// The error as it travels to the caller.
    ///
    /// Of a trap the caller gets the message and the frame; the whole trace is for the job's log. What a
    /// module says of itself may be long, and is cut.
    pub fn to_remote_error(&self) -> RemoteError {
        let trace = match self {
            Self::TimedOut { after } => return RemoteError::timed_out(self.to_string(), *after),
            Self::Trapped { frame: Some(frame), .. } => format!("at {frame}"),
            Self::Failed { detail, .. } => detail.clone(),
            _ => String::new(),
        };
        RemoteError { kind: self.kind().to_owned(), message: self.to_string(), trace }.bounded()
    }

    /// The error without the secrets of its call.
    pub(super) fn masked(mut self, mask: &Mask) -> Self {
        match &mut self {
            Self::Failed { kind, message, detail } => [kind, message, detail].map(|text| mask.string(text)),
            Self::Trapped { message, trace, .. } => [message, trace, &mut String::new()].map(|text| mask.string(text)),
            _ => [(); 3],
        };
        self
    }

    /// Everything that is known about a trap, for the job's log.
    pub fn trace(&self) -> Option<&str> {
        match self {
            Self::Trapped { trace, .. } => Some(trace),
            _ => None,
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
