//! Forking, made safe by asking first.
//!
//! A child of a threaded process inherits locks that no thread will ever release, so everything here
//! counts the threads and refuses when there is more than one. With one thread, the child is a full
//! copy of the parent in which any code may run.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::{
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, setsid},
};

/// Why no process was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// The caller has started threads before.
    #[error("a process with {threads} threads must not fork; fork before starting any")]
    Threads {
        /// How many there are.
        threads: usize,
    },
    /// Somebody killed the process between the two, before or after it had made the other: only the other could tell.
    #[error("the process between the two forks was ended by {signal}, so there may be a new process or none")]
    Unknown {
        /// What ended it.
        signal: Signal,
    },
    /// The system refused: usually the limit on processes, or memory.
    #[error("cannot make a process")]
    System(#[from] io::Error),
}

/// Which of the two processes returned from [`double_fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The caller, as before. The process between the two has ended and is reaped.
    Caller,
    /// The new process: a child of init, in a session of its own, without a controlling terminal.
    Grandchild,
}

/// Forks twice with a `setsid` between, so that the new process outlives its maker, is no child of it
/// (nobody need wait for it) and can never get a terminal.
pub fn double_fork() -> Result<Forked, ForkError> {
    only_thread()?;
    // SAFETY: this process has one thread, the caller's, so the child inherits no lock held by another.
    match unsafe { nix::unistd::fork() }.map_err(io::Error::from)? {
        ForkResult::Parent { child } => reap(child).map(|()| Forked::Caller),
        ForkResult::Child => {
            if let Err(error) = setsid() {
                exit_now(error as i32);
            }
            // SAFETY: as above; the child of a process with one thread has one thread.
            match unsafe { nix::unistd::fork() } {
                Ok(ForkResult::Parent { .. }) => exit_now(0),
                Ok(ForkResult::Child) => Ok(Forked::Grandchild),
                Err(error) => exit_now(error as i32),
            }
        }
    }
}

/// Waits for the end of the process between two forks, whose exit code says what went wrong.
pub(super) fn reap(child: Pid) -> Result<(), ForkError> {
    loop {
        match waitpid(child, None) {
            // Somebody ignores SIGCHLD, so the kernel reaped the child and kept its status to itself.
            Ok(WaitStatus::Exited(_, 0)) | Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::Exited(_, code)) => return Err(io::Error::from_raw_os_error(code).into()),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Err(ForkError::Unknown { signal }),
            // No end was told: without tracing that does not happen.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// Refuses when the calling thread is not the only one.
pub(super) fn only_thread() -> Result<(), ForkError> {
    // The kernel grants a process with one thread that it shares its memory with nobody, which changes nothing
    // and is a hundred times cheaper than reading /proc. Where it may not be asked, the count decides.
    if unshare(CloneFlags::CLONE_VM).is_ok() {
        return Ok(());
    }
    // Each thread has a folder there, which counts as a name of the folder that holds it.
    if fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3) {
        return Ok(());
    }
    match threads()? {
        1 => Ok(()),
        threads => Err(ForkError::Threads { threads }),
    }
}

/// Ends the process at once: no destructors, no exit handlers, no flushing. That is how a forked copy
/// must end, or it would run its parent's.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any integer and does not return.
    unsafe { libc::_exit(code) }
}

/// How many threads this process has.
pub fn threads() -> io::Result<usize> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    thread_count(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "cannot read /proc/self/stat"))
}

/// The 20th field of `/proc/PID/stat` (`proc_pid_stat(5)`); the second may hold spaces and parentheses.
fn thread_count(stat: &str) -> Option<usize> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split_ascii_whitespace().nth(17)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_refused() {
        // The test harness runs each test in a thread of its own.
        assert!(matches!(double_fork(), Err(ForkError::Threads { threads }) if threads > 1));
    }

    #[test]
    fn of_a_process_between_that_was_killed_nobody_says_that_it_made_none() {
        let mut between = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        between.kill().unwrap();
        let told = reap(Pid::from_raw(between.id().try_into().unwrap()));
        assert!(matches!(told, Err(ForkError::Unknown { signal: Signal::SIGKILL })), "{told:?}");
        assert!(between.wait().is_err(), "it was reaped");
    }

    #[test]
    fn a_strange_process_name_does_not_hide_the_count() {
        let stat = "17 (a) (b c) S 1 17 17 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 100 0 0";
        assert_eq!(thread_count(stat), Some(3));
        assert_eq!(thread_count("17"), None);
    }
}
