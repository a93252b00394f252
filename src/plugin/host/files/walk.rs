//! What a path leads to, part by part: for kernels that cannot be told to leave magic links alone (`openat2(2)` is
//! from Linux 5.6, and sandboxes made before it refuse it).
//!
//! The links of `/proc/PID` (`root`, `cwd`, `exe`, `fd/*`) lead to open files and into other name spaces, whatever
//! their text says, so they are not followed here either: no link below `/proc` is, but for those in it.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat, readlinkat},
    sys::{
        stat::{Mode, SFlag, fstat},
        statfs::{PROC_SUPER_MAGIC, fstatfs},
    },
};

use super::reach::kind_of;

/// As many links as the machine itself follows.
const MOST_LINKS: usize = 40;
/// The number of the folder `/proc` itself.
const PROC_ROOT: u64 = 1;
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Opens what an absolute path leads to, without reading it.
pub(super) fn walk(path: &Path) -> io::Result<OwnedFd> {
    let mut at = root()?;
    let mut left = parts(path.as_os_str());
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == "/" {
            at = root()?;
            continue;
        }
        let next = openat(&at, part.as_os_str(), PLACE, Mode::empty())?;
        if kind_of(&fstat(&next)?) != SFlag::S_IFLNK {
            at = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS || (is_proc(&at)? && fstat(&at)?.st_ino != PROC_ROOT) {
            return Err(Errno::ELOOP.into());
        }
        left.extend(parts(&readlinkat(&next, "")?));
    }
    Ok(at)
}

fn root() -> nix::Result<OwnedFd> {
    open("/", PLACE, Mode::empty())
}

fn is_proc(folder: &OwnedFd) -> nix::Result<bool> {
    Ok(fstatfs(folder)?.filesystem_type() == PROC_SUPER_MAGIC)
}

/// The parts of a path, the last first; a `/` at its beginning is one, and at its end it is `.`, which no file has.
fn parts(path: &OsStr) -> Vec<OsString> {
    let bytes = path.as_bytes();
    let names = bytes.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
    let mut parts: Vec<OsString> = names.map(|name| OsString::from_vec(name.to_owned())).collect();
    if bytes.ends_with(b"/") {
        parts.push(".".into());
    }
    if bytes.starts_with(b"/") {
        parts.insert(0, "/".into());
    }
    parts.reverse();
    parts
}
