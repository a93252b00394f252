//! Ctrl-C and SIGTERM, from the first moment of a demo on: what it has started ends with it.
//!
//! Minions run in process groups of their own, and the demo may be busy with anything (a build, a minion's start, a call)
//! when the signal comes. So a thread of its own waits for it, ends every process of the demo, removes what is temporary,
//! and ends the demo itself. No process is begun from then on: to begin one takes a permit, and the thread keeps the last.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::{fs, io};

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::super::exit::Exit;
use super::super::failure::{Failure, OrExit};
use super::strays;

/// Who the next signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// This thread: it ends the demo.
    Ours,
    /// Whoever serves, who stops the minions in order; the one after it is ours again.
    Theirs,
}

/// The watch for signals. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Interruption(Arc<Mutex<Next>>);

/// The right to begin a process.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    _next: MutexGuard<'a, Next>,
}

impl Interruption {
    /// Watches from now on. All processes of the demo have their home in `folder`, which is removed if it is temporary.
    pub(super) fn watch(folder: PathBuf, temporary: bool) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(Exit::Internal)?;
        let listen = async { io::Result::Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)) };
        let (mut interrupts, mut terminations) = runtime.block_on(listen).or_exit(Exit::Internal)?;
        let watch = Self(Arc::new(Mutex::new(Next::Ours)));
        let next = watch.clone();
        let wait = async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupts.recv() => Signal::SIGINT,
                    _ = terminations.recv() => Signal::SIGTERM,
                };
                // Kept to the end: nobody begins a process, and nobody reports what fails because others ended.
                let mut next = next.next();
                if std::mem::replace(&mut *next, Next::Ours) == Next::Theirs {
                    continue;
                }
                strays::end(&folder);
                if temporary {
                    let _ = fs::remove_dir_all(&folder);
                }
                // As a shell tells of a program that a signal ended.
                std::process::exit(128 + signal as i32);
            }
        };
        thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait)).or_exit(Exit::Internal)?;
        Ok(watch)
    }

    /// What to hold while a process is begun, or before the demo ends by itself. Once a signal has come it is not given any
    /// more: the process ends while the caller waits.
    pub(super) fn permit(&self) -> Permit<'_> {
        Permit { _next: self.next() }
    }

    /// Leaves the next signal to the caller, who listens for it already.
    pub(super) fn leave_next(&self) {
        *self.next() = Next::Theirs;
    }

    fn next(&self) -> MutexGuard<'_, Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
