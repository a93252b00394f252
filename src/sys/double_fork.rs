//! Forking twice at the price of once, for a process that does it all day.
//!
//! ```text
//! maker ──clone, memory shared, maker waits──▶ between ──setsid, fork──▶ worker
//!   ▲                                             └─ends─┐
//!   └─────────────goes on, reaps it──────────────────────┘
//! ```
//!
//! A fork copies the page tables and write-protects every page of the parent, which then faults on each page
//! that it writes. Two forks in a row pay all of that twice, for a process between them that makes two
//! system calls. So that one is no copy: it runs in the maker's memory, on a stack of its own, while the
//! maker stands still, as `vfork(2)` does it. What it leaves behind is one real copy, the worker, which
//! goes on on that stack.
//!
//! A worker that is to be born in a control group costs the second copy: the process between is made there, by the one
//! system call that can, and that has no stack of its own. Moving a process into a group later takes milliseconds.

use std::{
    io,
    num::NonZeroUsize,
    os::{
        fd::{AsRawFd as _, BorrowedFd},
        raw::c_void,
    },
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    slice,
};

use nix::{
    sched::{CloneFlags, clone},
    sys::{
        mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap},
        signal::Signal,
    },
    unistd::{ForkResult, Pid, setsid},
};

use super::fork::{ForkError, exit_now, only_thread, reap};

/// As much as the system gives to a program. Pages that nobody touches cost nothing.
const STACK: usize = 8 << 20;
/// Below the stack, so that one that is too deep ends the process and does not go on elsewhere.
const GUARD: usize = 64 << 10;
/// `CLONE_INTO_CGROUP` of clone(2), which libc knows in too narrow a type.
const INTO_CGROUP: u64 = 1 << 33;
/// The exit code of a worker that panicked.
const PANICKED: i32 = 101;

/// Makes workers.
#[derive(Debug)]
pub struct DoubleFork {
    /// Of the process between the two, and of the worker.
    memory: NonNull<c_void>,
}

impl DoubleFork {
    /// Takes a stack.
    pub fn new() -> io::Result<Self> {
        let length = NonZeroUsize::MIN.saturating_add(GUARD + STACK - 1);
        let (access, flags) =
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK);
        // SAFETY: new memory at a place that the kernel chooses overlaps with nothing.
        let memory = unsafe { mmap_anonymous(None, length, access, flags | MapFlags::MAP_NORESERVE)? };
        let taken = Self { memory };
        // SAFETY: the memory is ours, and nothing lies in its lowest part, which becomes inaccessible.
        unsafe { mprotect(memory, GUARD, ProtFlags::PROT_NONE)? };
        Ok(taken)
    }

    /// Forks twice with a `setsid` between. `work` runs in the new process alone, a child of init in a session
    /// of its own without a controlling terminal, which ends with the exit code that `work` returns; no
    /// destructor of the maker runs there. It is born in the control group `into`, if there is one. The caller goes on when
    /// the process between them is reaped.
    pub fn run(&mut self, into: Option<BorrowedFd<'_>>, work: impl FnOnce() -> i32) -> Result<(), ForkError> {
        only_thread()?;
        if let Some(group) = into {
            return born_in(group, work);
        }
        let mut work = Some(work);
        let between = || worker_of(&mut work);
        // SAFETY: the stack lies above the guard in memory that is ours for as long as `self` lives, and the
        // borrow of `self` keeps everybody else from it.
        let stack = unsafe { slice::from_raw_parts_mut(self.memory.as_ptr().cast::<u8>().add(GUARD), STACK) };
        let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
        // SAFETY: with CLONE_VFORK this process stands still until the new one has ended, so the two never run
        // in their memory at the same time, and all that the new one refers to outlives it. It has a stack
        // of its own. It calls setsid, fork and _exit, none of which leaves anything behind for the maker
        // (glibc's fork writes the new process number into the copy only).
        let child = unsafe { clone(Box::new(between), stack, flags, Some(Signal::SIGCHLD as i32)) };
        reap(child.map_err(io::Error::from)?)
    }
}

/// What the process between does: it makes the worker. Answers its own exit code.
fn worker_of(work: &mut Option<impl FnOnce() -> i32>) -> isize {
    if let Err(error) = setsid() {
        return error as isize;
    }
    // SAFETY: the maker has one thread, and so has what it made, so no lock is held by anybody else.
    match unsafe { nix::unistd::fork() } {
        Ok(ForkResult::Parent { .. }) => 0,
        Ok(ForkResult::Child) => {
            // Taken out of this process's copy: the maker's stays where it is, and is dropped there.
            let worked = work.take().map(|work| catch_unwind(AssertUnwindSafe(work)));
            exit_now(worked.and_then(Result::ok).unwrap_or(PANICKED));
        }
        Err(error) => error as isize,
    }
}

/// [`DoubleFork::run`] by two copies, the first of which is born in the group. The caller has one thread.
pub(super) fn born_in(group: BorrowedFd<'_>, work: impl FnOnce() -> i32) -> Result<(), ForkError> {
    // SAFETY: a description of zeros is one, of a plain copy that tells nobody anything.
    let mut description: libc::clone_args = unsafe { std::mem::zeroed() };
    description.flags = INTO_CGROUP;
    description.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    description.cgroup = u64::from(group.as_raw_fd().cast_unsigned());
    // SAFETY: the description is as long as said. The copy has memory of its own, and one thread, as the caller says, so no
    // lock is held by anybody else. The C library knows nothing of it, and would be mistaken about its number; it only begins a
    // session, has the C library make the worker, and ends.
    let made = unsafe { libc::syscall(libc::SYS_clone3, &raw const description, size_of::<libc::clone_args>()) };
    match made {
        0 => exit_now(i32::try_from(worker_of(&mut Some(work))).unwrap_or(PANICKED)),
        error if error < 0 => Err(io::Error::last_os_error().into()),
        child => reap(Pid::from_raw(i32::try_from(child).unwrap_or(i32::MAX))),
    }
}

impl Drop for DoubleFork {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; no process runs on it, because `run` has returned.
        let _ = unsafe { munmap(self.memory, GUARD + STACK) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_refused() {
        // The test harness runs each test in a thread of its own.
        let refused = DoubleFork::new().unwrap().run(None, || 0);
        assert!(matches!(refused, Err(ForkError::Threads { threads }) if threads > 1));
    }
}
