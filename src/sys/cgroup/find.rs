//! Where a process is among the control groups, and whether that place was given to it.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use super::{Bounds, births_are_placed};

/// The name of the group that a supervisor puts a program into, below the one that it delegates.
const OWN: &str = "daemon";
/// How systemd marks what it delegates: for root, and for everybody.
const MARKS: [&CStr; 2] = [c"trusted.delegate", c"user.delegate"];

/// A group that somebody gave to a program to make others below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    group: PathBuf,
    /// Whether the program is in a group below it.
    is_free: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// The kernel or the machine does not have them.
    #[error("no cgroup2 is mounted")]
    NoHierarchy,
    /// Linux before 5.14, or a filter of system calls.
    #[error("the kernel cannot end a group, or does not let processes be born in one")]
    TooOld,
    /// Everybody else is there, too.
    #[error("it runs in a group that was not delegated to it, `{0}` (systemd: `Delegate=yes`)")]
    NotDelegated(String),
    /// It was given, but as something that cannot be changed.
    #[error("its group `{0}` cannot be changed: it is read-only, or belongs to somebody else")]
    ReadOnly(String),
    /// Somewhere in `/proc`.
    #[error("cannot find out in which group it is")]
    Read(#[from] io::Error),
}

impl Delegated {
    /// What was delegated to this process.
    pub fn to_self() -> Result<Self, Missing> {
        if births_are_placed() { Self::find("self") } else { Err(Missing::TooOld) }
    }

    /// What was delegated to another one.
    pub fn to_process(pid: u32) -> Result<Self, Missing> {
        Self::find(&pid.to_string())
    }

    fn find(process: &str) -> Result<Self, Missing> {
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup"))?;
        let path = groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or(Missing::NoHierarchy)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        // A mount may be hidden by another.
        let shown = mounts.lines().filter_map(|line| place(line, Path::new(path))).find(|group| group.exists());
        let group = shown.ok_or(Missing::NoHierarchy)?;
        let below = (group.file_name().is_some_and(|name| name == OWN)).then(|| group.parent()).flatten();
        let candidates = [below.map(|above| (above, true)), Some((&*group, false))];
        for (group, is_free) in candidates.into_iter().flatten() {
            // The root of all has no type. The root that a container sees does.
            let is_container = path == "/" && group.join("cgroup.type").exists();
            if is_container || is_marked(group) {
                return Self { group: group.to_owned(), is_free }.usable();
            }
        }
        Err(Missing::NotDelegated(path.to_owned()))
    }

    fn usable(self) -> Result<Self, Missing> {
        if !self.group.join("cgroup.kill").exists() {
            return Err(Missing::TooOld);
        }
        let writable = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
        if writable(&self.group) && writable(&self.group.join("cgroup.procs")) {
            return Ok(self);
        }
        Err(Missing::ReadOnly(self.group.display().to_string()))
    }

    /// Where it is.
    pub fn group(&self) -> &Path {
        &self.group
    }

    /// Has the controllers handed down that these bounds need, as far as that can be done. Answers the bounds that hold.
    pub fn hand_down(&self, wanted: Bounds) -> Bounds {
        let file = self.group.join("cgroup.subtree_control");
        let handed = |controller: &str| {
            if self.is_free {
                let _ = fs::write(&file, format!("+{controller}"));
            }
            fs::read_to_string(&file).is_ok_and(|names| names.split_ascii_whitespace().any(|name| name == controller))
        };
        Bounds {
            memory: wanted.memory.filter(|_| handed("memory")),
            processes: wanted.processes.filter(|_| handed("pids")),
        }
    }

    /// Which bounds hold, when nothing is changed.
    pub fn holds(&self, wanted: Bounds) -> Bounds {
        Self { is_free: false, ..self.clone() }.hand_down(wanted)
    }
}

/// Where a group lies, if this line of `mountinfo` is of a mount that shows it.
fn place(line: &str, path: &Path) -> Option<PathBuf> {
    let (mount, kind) = line.split_once(" - ")?;
    if kind.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, at) = (fields.next()?, fields.next()?);
    let below = path.strip_prefix(root).ok()?;
    // Outside of what this process sees.
    if below.starts_with("..") {
        return None;
    }
    Some(Path::new(at).join(below).components().collect())
}

/// Whether systemd says that it delegated this.
fn is_marked(group: &Path) -> bool {
    let Ok(path) = CString::new(group.as_os_str().as_bytes()) else { return false };
    MARKS.iter().any(|mark| {
        let mut value = [0_u8; 8];
        // SAFETY: both texts end with a zero, and the call writes at most as many bytes as `value` has.
        let length = unsafe { libc::getxattr(path.as_ptr(), mark.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        length == 1 && value[0] == b'1'
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_the_mount_that_shows_it() {
        let line = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let found = |path: &str| place(line, Path::new(path));
        assert_eq!(
            found("/system.slice/funcd.service").unwrap(),
            Path::new("/sys/fs/cgroup/system.slice/funcd.service")
        );
        assert_eq!(found("/").unwrap().to_str().unwrap(), "/sys/fs/cgroup");
        assert_eq!(found("/../other"), None);
        let part = "30 23 0:26 /box /mnt rw - cgroup2 none rw";
        assert_eq!(place(part, Path::new("/box/a")).unwrap(), Path::new("/mnt/a"));
        assert_eq!(place(part, Path::new("/a")), None);
        assert_eq!(place("30 23 0:26 / /mnt rw - cgroup none rw", Path::new("/")), None);
    }
}
