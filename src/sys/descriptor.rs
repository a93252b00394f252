//! File descriptors: pipes, the three standard ones, and how many there may be.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::OnceLock,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pipe2},
};

/// A pipe: the end to read from, the end to write to. Both are closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

/// Makes reads and writes return instead of waiting. This is a property of the open file, so it does
/// not reach the other end of a pipe or socket.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Takes what this process was given as its standard input, under a number above the standard ones and
/// closed on exec, and leaves `/dev/null` in its place.
pub fn take_stdin() -> io::Result<OwnedFd> {
    let taken = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(taken)
}

/// Points the three standard descriptors at `/dev/null`: a process that outlives its terminal must not
/// keep it open, nor fail when it writes.
pub fn null_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

/// The soft limit of open files that this process began with, once it has been raised.
static GIVEN_OPEN_FILES: OnceLock<u64> = OnceLock::new();

/// Raises the number of files this process may open to what the system allows it. Returns what it was, and what it is.
///
/// A daemon holds one for each connection and job; the soft limit of 1,024 is kept by systems only for
/// programs that use `select(2)`. Such programs are what a daemon may start, so they get the limit that
/// it was given itself: see [`contain`](super::contain).
pub fn raise_open_files_limit() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let _ = GIVEN_OPEN_FILES.set(soft);
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok((soft, hard))
}

/// The soft limit of open files to restore in a program that this process starts.
pub(super) fn given_open_files() -> Option<u64> {
    GIVEN_OPEN_FILES.get().copied()
}

/// Sets the soft limit of open files and leaves the hard one.
pub(super) fn limit_open_files(soft: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard)?)
}

/// Marks every descriptor above the standard ones as closed on exec: for a program's first moments,
/// when it may have inherited some from a careless parent.
pub fn close_inherited_on_exec() -> io::Result<()> {
    // SAFETY: takes three integers; changes a flag of descriptors, closes none.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use nix::fcntl::FdFlag;

    use super::*;

    fn closed_on_exec(fd: &OwnedFd) -> bool {
        FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).unwrap()).contains(FdFlag::FD_CLOEXEC)
    }

    #[test]
    fn pipes_are_closed_on_exec_and_end_with_their_writer() {
        let (read, write) = pipe().unwrap();
        assert!(closed_on_exec(&read) && closed_on_exec(&write));
        drop(write);
        assert_eq!(File::from(read).read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_nonblocking_pipe_says_that_it_would_wait() {
        let (read, _write) = pipe().unwrap();
        set_nonblocking(&read).unwrap();
        assert_eq!(File::from(read).read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_limit_of_open_files_goes_up_to_the_hard_one() {
        let (_, raised) = raise_open_files_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (raised, raised));
    }
}
