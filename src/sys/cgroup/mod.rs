//! Control groups (version 2): a group of its own for each piece of work.
//!
//! ```text
//! the group that was delegated to this program
//! ├─ daemon        the program itself, where its supervisor put it there (systemd: `DelegateSubgroup=daemon`)
//! ├─ job-…         one piece of work: whoever is born in there stays in there, wherever its parents and sessions go
//! └─ job-…
//! ```
//!
//! A group is ended by one write, which no fork outruns and nobody escapes by leaving its parents. Bounds on memory and
//! processes are for groups below one that hands the controllers for them down, and such a one may hold no process itself. A
//! supervisor that starts a program again puts it where it was, so this is done only where that is `daemon`: elsewhere the
//! program could not be started again while work of the one before goes on.
//!
//! Nothing is done with a group that nobody delegated, though root could.

mod find;

pub use find::{Delegated, Missing};

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt as _,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long to leave between two looks whether a group is empty.
const PAUSE: Duration = Duration::from_millis(2);

/// What the processes of a group may take together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bounds {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// A group that holds processes and no other groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf(PathBuf);

/// A group in which processes can be born.
#[derive(Debug)]
pub struct Nursery(File);

impl AsFd for Nursery {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Leaf {
    /// The one of this name, which need not exist.
    pub fn of(group: &Path, name: &str) -> Self {
        Self(group.join(name))
    }

    /// Makes it, if it is not there, with these bounds.
    pub fn make(&self, bounds: Bounds) -> io::Result<Nursery> {
        match fs::create_dir(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let bounds = [("memory.max", bounds.memory), ("pids.max", bounds.processes)];
        for (file, most) in bounds.into_iter().filter_map(|(file, most)| Some((file, most?))) {
            fs::write(self.0.join(file), most.to_string())?;
        }
        let folder = File::options().read(true).custom_flags(libc::O_DIRECTORY).open(&self.0)?;
        Ok(Nursery(folder))
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Ends every process in it at once, and waits until they are gone, at most so long. `false`: some are not. Without a
    /// group there is nobody to end.
    pub fn end(&self, patience: Duration) -> io::Result<bool> {
        match fs::write(self.0.join("cgroup.kill"), "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            written => written?,
        }
        let begun = Instant::now();
        while self.is_populated()? {
            if begun.elapsed() > patience {
                return Ok(false);
            }
            thread::sleep(PAUSE);
        }
        Ok(true)
    }

    /// Removes it. `false`: there are processes in it.
    pub fn remove(&self) -> io::Result<bool> {
        match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(true),
        }
    }

    fn is_populated(&self) -> io::Result<bool> {
        match fs::read_to_string(self.0.join("cgroup.events")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            events => Ok(events?.lines().any(|line| line == "populated 1")),
        }
    }
}

/// The names of the groups below one that have been there for so long.
pub fn names_below(group: &Path, for_at_least: Duration) -> io::Result<Vec<String>> {
    let old = |entry: &fs::DirEntry| {
        let made = entry.metadata().ok().filter(fs::Metadata::is_dir)?.modified().ok()?;
        // One from the future has been there for no time.
        Some(made.elapsed().unwrap_or_default() >= for_at_least)
    };
    let groups = fs::read_dir(group)?.flatten().filter(|entry| old(entry) == Some(true));
    Ok(groups.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Whether the kernel lets processes be born into a group. Moving them later stops every fork on the machine for a moment.
pub(super) fn births_are_placed() -> bool {
    // SAFETY: a description of no bytes is refused with EINVAL, if the call is known and allowed, before anything is made.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<libc::c_void>(), 0_usize) };
    answer < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL)
}

#[cfg(test)]
mod tests;
