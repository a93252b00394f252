//! Process file descriptors: a process named for as long as one likes, never its successor with the same
//! number.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::sys::signal::Signal;

/// A process, held by descriptor (`pidfd_open(2)`). Readable once the process has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process with this number. To be sure which one that is, open oneself or one's child.
    pub fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: the call takes two integers and returns a new descriptor (closed on exec) or -1.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, i64::from(pid), 0_i64) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Opens the calling process.
    pub fn of_self() -> io::Result<Self> {
        Self::open(std::process::id())
    }

    /// Sends a signal; fails with `ESRCH` when the process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let (fd, signal) = (i64::from(self.0.as_raw_fd()), i64::from(signal as i32));
        // SAFETY: the descriptor is open; a null siginfo means "as kill(2) would".
        let result = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<libc::siginfo_t>(), 0_i64)
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl From<OwnedFd> for PidFd {
    /// Takes a descriptor that arrived over a socket. If it is not a process, [`PidFd::signal`] fails.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    #[test]
    fn a_killed_process_makes_its_descriptor_readable() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pidfd = PidFd::open(child.id()).unwrap();
        pidfd.signal(Signal::SIGKILL).unwrap();
        let mut ready = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut ready, PollTimeout::NONE).unwrap(), 1);
        child.wait().unwrap();
        assert!(pidfd.signal(Signal::SIGKILL).is_err());
    }
}
