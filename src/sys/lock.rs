//! Advisory locks (`flock`) that belong to an open file, not to a process.
//!
//! The lock goes with the descriptor wherever it is sent, and ends when the last copy is closed: also
//! when the holder is killed. That is why nothing here unlocks by hand: an explicit unlock would take
//! the lock from every process that shares the open file. Close the file instead.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Whether a lock was got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// This open file holds the lock now.
    Locked,
    /// Another open file holds it.
    Busy,
}

/// Takes the exclusive lock if it is free.
pub fn try_exclusive(file: &File) -> io::Result<Attempt> {
    attempt(file.try_lock())
}

/// Takes a shared lock if nobody holds the exclusive one: a probe for "is the writer alive?".
pub fn try_shared(file: &File) -> io::Result<Attempt> {
    attempt(file.try_lock_shared())
}

/// Takes the exclusive lock, waiting at most `patience` for other holders.
pub fn exclusive_within(file: &File, patience: Duration) -> io::Result<Attempt> {
    within(patience, || try_exclusive(file))
}

/// Takes a shared lock, waiting at most `patience` for the holder of the exclusive one.
pub fn shared_within(file: &File, patience: Duration) -> io::Result<Attempt> {
    within(patience, || try_shared(file))
}

/// Polls, because a blocking `flock` cannot be given a time: every millisecond at first, then less
/// often, up to 50 ms.
fn within(patience: Duration, attempt: impl Fn() -> io::Result<Attempt>) -> io::Result<Attempt> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if attempt()? == Attempt::Locked {
            return Ok(Attempt::Locked);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(Attempt::Busy);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Which process took the exclusive lock of a file that is held now, as far as the system tells.
pub fn holder(path: &Path) -> Option<u32> {
    let meta = fs::metadata(path).ok()?;
    let (major, minor) = (nix::sys::stat::major(meta.dev()), nix::sys::stat::minor(meta.dev()));
    holder_in(&fs::read_to_string("/proc/locks").ok()?, &format!("{major:02x}:{minor:02x}:{}", meta.ino()))
}

/// `7: FLOCK  ADVISORY  WRITE 4711 fe:00:13 0 EOF`; those that wait have an arrow before the kind.
fn holder_in(locks: &str, file: &str) -> Option<u32> {
    let pid = |line: &str| match line.split_ascii_whitespace().collect::<Vec<_>>()[..] {
        [_, "FLOCK", _, "WRITE", pid, place, ..] if place == file => pid.parse().ok(),
        _ => None,
    };
    locks.lines().find_map(pid)
}

/// Opens, making it if need be (mode 0600), a file that exists only to be locked.
pub fn open_lock_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn attempt(result: Result<(), TryLockError>) -> io::Result<Attempt> {
    match result {
        Ok(()) => Ok(Attempt::Locked),
        Err(TryLockError::WouldBlock) => Ok(Attempt::Busy),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = open_lock_file(&path).unwrap();
        assert_eq!(holder(&path), None);
        assert_eq!(try_exclusive(&file).unwrap(), Attempt::Locked);
        // Some file systems tell two names of one device.
        assert!(holder(&path).is_none_or(|pid| pid == std::process::id()));
        let locks = "1: POSIX  ADVISORY  WRITE 1 fe:00:13 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 2 fe:00:13 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 3 fe:00:13 0 EOF\n3: FLOCK  ADVISORY  WRITE 4 fe:00:13 0 EOF\n";
        assert_eq!((holder_in(locks, "fe:00:13"), holder_in(locks, "fe:00:1")), (Some(4), None));
    }

    #[test]
    fn a_lock_lasts_as_long_as_any_copy_of_its_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let holder = open_lock_file(&path).unwrap();
        assert_eq!(try_exclusive(&holder).unwrap(), Attempt::Locked);
        let copy = holder.try_clone().unwrap();
        drop(holder);
        let prober = File::open(&path).unwrap();
        assert_eq!(try_shared(&prober).unwrap(), Attempt::Busy);
        drop(copy);
        assert_eq!(try_shared(&prober).unwrap(), Attempt::Locked);
    }

    #[test]
    fn waiting_ends_with_the_holder_or_with_patience() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let holder = open_lock_file(&path).unwrap();
        assert_eq!(try_exclusive(&holder).unwrap(), Attempt::Locked);
        let waiter = open_lock_file(&path).unwrap();
        assert_eq!(exclusive_within(&waiter, Duration::from_millis(5)).unwrap(), Attempt::Busy);
        let release = thread::spawn(move || drop(holder));
        assert_eq!(exclusive_within(&waiter, Duration::from_secs(30)).unwrap(), Attempt::Locked);
        release.join().unwrap();
    }
}
