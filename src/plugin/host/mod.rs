//! What a module may import: `minion:host@0.1.0` of `wit/`, and WASI p2.
//!
//! Every function that touches the machine goes through one place, see [`call`].
//!
//! Everything is linked for every module; what the operator did not grant is denied at the call, so
//! that a module can go on without it and the message can name the line to add. WASI is there for
//! languages whose runtimes want it, and holds nothing: no environment, no folder, no network, and
//! what is printed becomes log lines. Its asynchronous linker only, ever: the synchronous one keeps
//! a threaded runtime in a static, which must not exist in a process that forks.

mod access;
pub(in crate::plugin) mod call;
mod clock;
mod command;
mod config;
mod denial;
pub(in crate::plugin) mod files;
mod job;
mod network;
mod processes;
mod services;
pub(in crate::plugin) mod state;

use tokio::sync::Semaphore;
use wasmtime::component::{HasSelf, Linker};

use super::state::State;

#[allow(clippy::pedantic, missing_docs, unreachable_pub, reason = "generated from wit/, which has the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "module",
        imports: {
            "minion:host/job.sleep": async,
            "minion:host/command": async,
            "minion:host/files": async,
            "minion:host/state": async,
            "minion:host/processes": async,
            "minion:host/services": async,
            "minion:host/network": async,
        },
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

pub(super) use access::Access;
pub(super) use bindings::minion::host::types::{Error, ErrorKind};
pub(super) use denial::grant_lines;
pub use files::{FileError, FileFacts, HostFiles, LeftOut, Manner, Tree};

/// A linker that offers everything.
pub(super) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    use bindings::minion::host;

    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    host::job::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::clock::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::command::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::files::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::config::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::state::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::processes::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::services::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    host::network::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// An error for a module: what happened, and perhaps what to do.
pub(super) fn error(kind: ErrorKind, message: impl Into<String>, hint: Option<String>) -> Error {
    Error { kind, message: message.into(), hint }
}

impl ErrorKind {
    /// The name it has in WIT.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Invalid => "invalid",
            Self::TooLarge => "too-large",
            Self::Unsupported => "unsupported",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// Does something that the machine may hold up, on a thread that may be held up.
///
/// The threads that serve everybody are few, and a path that a module chose may lie on a network that
/// hangs. Whoever waits may stop waiting; what was made meanwhile is dropped.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    blocking_in(&HOLDABLE, work).await
}

/// How many threads modules may have held up at a time. A thread that hangs stays when its call is given
/// up, and journals and plugin files need threads of the same kind, of which tokio has 512.
static HOLDABLE: Semaphore = Semaphore::const_new(256);

async fn blocking_in<T: Send + 'static>(
    places: &'static Semaphore,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // Never closed; the wait ends with the call.
    let place = places.acquire().await;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    let done = done.await;
    done.unwrap_or_else(|panic| Err(error(ErrorKind::Failed, format!("the host failed: {panic}"), None)))
}

/// Waits until somebody cancels the call.
pub(super) async fn until_set(cancelled: &std::sync::atomic::AtomicBool) {
    while !cancelled.load(std::sync::atomic::Ordering::Relaxed) {
        tokio::time::sleep(job::CANCEL_CHECK).await;
    }
}

#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod tests;
