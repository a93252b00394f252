//! Writing, making and removing.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, renameat},
    sys::{
        stat::{Mode, SFlag, fchmod, fstat, mkdirat},
        statfs::{CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs},
    },
    unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, linkat, unlinkat},
};
use uuid::Uuid;

use super::{
    super::{
        Error,
        denial::{Right, denied, failed, invalid, shown},
    },
    Access,
    look::too_large,
    reach::{self, Place, kind_of},
};
use crate::sys::lock::{self, Attempt};

/// The permission bits of a new file.
pub(super) const NEW_FILE: u32 = 0o644;
const NEW_FOLDER: Mode = Mode::from_bits_truncate(0o755);
/// The permission bits that a module may set. Those by which a program gets the rights of its owner or
/// group are not among them: contents of a module's choice must not run as root for everybody.
pub(super) const SETTABLE: u32 = 0o1777;
/// How long an append waits for whoever has locked the file. The lock is another program's, which may
/// never give it back.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn write(access: &Access, path: &str, contents: &[u8], mode: Option<u32>) -> Result<(), Error> {
    let place = writable(access, path, contents, mode)?;
    let wrong = |source: io::Error| failed(path, &source);
    if is_interface(&place).map_err(wrong)? {
        return write_in_place(&place, contents).map_err(wrong);
    }
    let mode = mode.or_else(|| place.stat.as_ref().map(|stat| stat.st_mode & SETTABLE)).unwrap_or(NEW_FILE);
    let draft = Draft::new(&place, contents, mode).map_err(wrong)?;
    draft.replace(&place).map_err(wrong)
}

pub(super) fn create(access: &Access, path: &str, contents: &[u8], mode: Option<u32>) -> Result<(), Error> {
    check_size_and_mode(access, path, contents, mode)?;
    let place = access.place(Right::Write, path)?;
    let wrong = |source: io::Error| failed(path, &source);
    if place.stat.is_some() {
        return Err(wrong(io::ErrorKind::AlreadyExists.into()));
    }
    let draft = Draft::new(&place, contents, mode.unwrap_or(NEW_FILE)).map_err(wrong)?;
    draft.publish(&place).map_err(wrong)
}

pub(super) fn append(access: &Access, path: &str, contents: &[u8]) -> Result<(), Error> {
    let place = writable(access, path, contents, None)?;
    append_at(&place, contents, LOCK_PATIENCE.min(access.remaining())).map_err(|source| failed(path, &source))
}

pub(super) fn remove(access: &Access, path: &str) -> Result<(), Error> {
    let place = access.place(Right::Write, path)?;
    let kind = if place.is(SFlag::S_IFDIR) { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
    let removed = unlinkat(&place.folder, place.name.as_os_str(), kind);
    removed.map_err(|error| failed(path, &error.into()))
}

pub(super) fn make_dir(access: &Access, path: &str) -> Result<(), Error> {
    reach::check(path)?;
    if reach::climbs(Path::new(path)) {
        return Err(invalid(format!("`{}` has `..` in it", shown(path))));
    }
    let wrong = |source: io::Error| failed(path, &source);
    let mut missing: Vec<PathBuf> = Vec::new();
    for ancestor in Path::new(path).ancestors() {
        match std::fs::metadata(ancestor) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(ancestor.to_owned()),
            Err(error) => return Err(access.untold(Right::Write, path, &error)),
        }
    }
    if missing.is_empty() {
        let place = access.place_followed(Right::Write, path)?;
        return if place.is(SFlag::S_IFDIR) { Ok(()) } else { Err(wrong(io::ErrorKind::NotADirectory.into())) };
    }
    for folder in missing.iter().rev() {
        // Each one is reached and judged anew, so that nothing is made outside of the grant.
        let Some(text) = folder.to_str() else { return Err(invalid("the path is not UTF-8")) };
        let place = access.place(Right::Write, text).map_err(|error| {
            // The denial is about the whole path, which is what the operator would grant.
            if text == path { error } else { denied(&access.module, Right::Write, path, Path::new(text)) }
        })?;
        match mkdirat(&place.folder, place.name.as_os_str(), NEW_FOLDER) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(wrong(error.into())),
        }
    }
    Ok(())
}

/// The place to write to, if what is there can be written.
fn writable(access: &Access, path: &str, contents: &[u8], mode: Option<u32>) -> Result<Place, Error> {
    check_size_and_mode(access, path, contents, mode)?;
    let place = access.place_followed(Right::Write, path)?;
    if place.stat.is_some() && !place.is(SFlag::S_IFREG) {
        return Err(invalid(format!("`{}` is not a regular file", shown(path))));
    }
    Ok(place)
}

pub(super) fn check_size_and_mode(
    access: &Access,
    path: &str,
    contents: &[u8],
    mode: Option<u32>,
) -> Result<(), Error> {
    let limit = access.limits.file_bytes;
    if contents.len() > limit {
        return Err(too_large(path, limit));
    }
    match mode {
        Some(mode) if mode > SETTABLE => Err(invalid(format!(
            "the mode {mode:#o} cannot be set: {SETTABLE:#o} is the most, without the set-user-id and set-group-id bits"
        ))),
        _ => Ok(()),
    }
}

/// Whether the place is in a file system whose files are the kernel's interfaces: nothing can be made
/// or renamed there, and a write is a command.
pub(super) fn is_interface(place: &Place) -> io::Result<bool> {
    let kind = fstatfs(&place.folder)?.filesystem_type();
    Ok([PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP2_SUPER_MAGIC].contains(&kind))
}

fn write_in_place(place: &Place, contents: &[u8]) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    File::from(openat(&place.folder, place.name.as_os_str(), flags, Mode::empty())?).write_all(contents)
}

fn append_at(place: &Place, contents: &[u8], patience: Duration) -> io::Result<()> {
    let flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut file =
        File::from(openat(&place.folder, place.name.as_os_str(), flags, Mode::from_bits_truncate(NEW_FILE))?);
    let stat = fstat(&file)?;
    if kind_of(&stat) != SFlag::S_IFREG {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if stat.st_nlink > 1 {
        let why = "it has other names (hard links), for which nothing may be granted";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    // One write to a file opened for appending stays together by itself; the lock is for the case
    // that the machine takes it in two.
    if lock::exclusive_within(&file, patience)? == Attempt::Busy {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program holds a lock on it"));
    }
    if place.stat.is_none() {
        fchmod(&file, Mode::from_bits_truncate(NEW_FILE))?;
    } else if stat.st_mode & 0o7777 & !SETTABLE != 0 {
        // The kernel does this for everybody but root.
        fchmod(&file, Mode::from_bits_truncate(stat.st_mode & SETTABLE))?;
    }
    file.write_all(contents)?;
    file.sync_all()?;
    if place.stat.is_none() { sync(place) } else { Ok(()) }
}

fn sync(place: &Place) -> io::Result<()> {
    let folder = place.folder.reopen(OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    Ok(fsync(folder.as_fd())?)
}

/// A whole file beside its place, not yet under its name.
pub(super) struct Draft<'a> {
    pub(super) place: &'a Place,
    pub(super) name: Option<OsString>,
}

impl<'a> Draft<'a> {
    fn new(place: &'a Place, contents: &[u8], mode: u32) -> io::Result<Self> {
        let name = OsString::from(format!(".{}.new", Uuid::now_v7()));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&place.folder, name.as_os_str(), flags, Mode::from_bits_truncate(0o600))?);
        let draft = Self { place, name: Some(name) };
        file.write_all(contents)?;
        if let Some(stat) = &place.stat {
            // Fails for a daemon that is not root and not the owner: then the file becomes its own.
            let _ = fchown(&file, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
        }
        fchmod(&file, Mode::from_bits_truncate(mode))?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Takes the place of what was there.
    pub(super) fn replace(mut self, place: &Place) -> io::Result<()> {
        if let Some(name) = &self.name {
            renameat(&place.folder, name.as_os_str(), &place.folder, place.name.as_os_str())?;
            self.name = None;
        }
        sync(place)
    }

    /// Takes a place where nothing is.
    fn publish(self, place: &Place) -> io::Result<()> {
        if let Some(name) = &self.name {
            linkat(&place.folder, name.as_os_str(), &place.folder, place.name.as_os_str(), AtFlags::empty())?;
        }
        drop(self);
        sync(place)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = unlinkat(&self.place.folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}
