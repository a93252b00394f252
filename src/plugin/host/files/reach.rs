//! From a path to the open file or folder it really leads to, if the grant covers that.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat},
    sys::stat::{FileStat, Mode, SFlag, fstat, fstatat},
};

use super::{
    super::{
        Error, ErrorKind,
        denial::{Right, denied, failed, invalid, shown},
        error,
    },
    Access,
    walk::walk,
};

/// Links in the last part of a path that is written to; the machine's own limit is 40.
const MAX_LINKS: usize = 8;

/// An open file of which only the place is known: it can be looked at, or opened again.
pub(super) struct Reached {
    fd: OwnedFd,
    pub(super) real: PathBuf,
}

impl Reached {
    /// Opens what `path` leads to, links followed, without reading it.
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        // The links in /proc/PID/fd and the like lead to open files, which have no place at all.
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let fd = match openat2(AT_FDCWD, path, how) {
            Err(Errno::ENOSYS | Errno::EPERM) => walk(path)?,
            other => other?,
        };
        let real = fs::read_link(handle(&fd))?;
        // A deleted file, or one of another name space, has no name that a grant could cover.
        let (there, here) = (fs::symlink_metadata(&real)?, fstat(&fd)?);
        if !real.is_absolute() || (there.dev(), there.ino()) != (here.st_dev, here.st_ino) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Self { fd, real })
    }

    pub(super) fn stat(&self) -> io::Result<FileStat> {
        Ok(fstat(&self.fd)?)
    }

    /// Opens it for real. Never waits: a pipe without a writer, or a terminal, would.
    pub(super) fn reopen(&self, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        Ok(open(&handle(&self.fd), flags, Mode::empty())?.into())
    }
}

impl AsFd for Reached {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The path under which an open file can be found again.
fn handle(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// A place in an open folder, whether or not there is something.
pub(super) struct Place {
    pub(super) folder: Reached,
    pub(super) name: OsString,
    /// What is there, links not followed.
    pub(super) stat: Option<FileStat>,
}

impl Place {
    pub(super) fn real(&self) -> PathBuf {
        self.folder.real.join(&self.name)
    }

    fn at(folder: &Path, name: &OsStr) -> io::Result<Self> {
        let folder = Reached::open(folder)?;
        let stat = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { folder, name: name.to_owned(), stat })
    }

    /// Opens the file that is there.
    pub(super) fn open_file(&self) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        Ok(openat(&self.folder, self.name.as_os_str(), flags, Mode::empty())?.into())
    }

    /// Whether what is there is of a kind.
    pub(super) fn is(&self, kind: SFlag) -> bool {
        self.stat.as_ref().is_some_and(|stat| kind_of(stat) == kind)
    }
}

/// The kind of a file, from its mode.
pub(super) fn kind_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

impl Access {
    /// Opens what the path leads to, for reading or looking.
    pub(super) fn reach(&self, path: &str) -> Result<Reached, Error> {
        check(path)?;
        let reached = match Reached::open(Path::new(path)) {
            Ok(reached) => reached,
            Err(source) => return Err(self.untold(Right::Read, path, &source)),
        };
        if self.covers(Right::Read, &reached.real) {
            refuse_memory(path, &reached.real)?;
            Ok(reached)
        } else {
            Err(denied(&self.module, Right::Read, path, &reached.real))
        }
    }

    /// Opens a folder that a program may be started in: one that the module may read or write.
    pub(in crate::plugin::host) fn folder(&self, path: &str) -> Result<OwnedFd, Error> {
        check(path)?;
        let reached = Reached::open(Path::new(path)).map_err(|source| self.untold(Right::Read, path, &source))?;
        if !self.covers(Right::Read, &reached.real) && !self.covers(Right::Write, &reached.real) {
            return Err(denied(&self.module, Right::Read, path, &reached.real));
        }
        match reached.stat() {
            Ok(stat) if kind_of(&stat) == SFlag::S_IFDIR => Ok(reached.fd),
            Ok(_) => Err(invalid(format!("`{}` is not a directory", shown(path)))),
            Err(source) => Err(failed(path, &source)),
        }
    }

    /// The place that a path names, its last part not followed.
    pub(super) fn place(&self, right: Right, path: &str) -> Result<Place, Error> {
        check(path)?;
        let place = self.open_place(right, path, Path::new(path))?;
        if self.covers(right, &place.real()) {
            refuse_memory(path, &place.real())?;
            Ok(place)
        } else {
            Err(denied(&self.module, right, path, &place.real()))
        }
    }

    /// The place that is written when a path is: where the links in its last part lead.
    pub(super) fn place_followed(&self, right: Right, path: &str) -> Result<Place, Error> {
        check(path)?;
        let mut place = self.open_place(right, path, Path::new(path))?;
        for _ in 0..MAX_LINKS {
            if !self.covers(right, &place.real()) {
                return Err(denied(&self.module, right, path, &place.real()));
            }
            if !place.is(SFlag::S_IFLNK) {
                refuse_memory(path, &place.real())?;
                return Ok(place);
            }
            let target =
                readlinkat(&place.folder, place.name.as_os_str()).map_err(|error| failed(path, &error.into()))?;
            place = self.open_place(right, path, &place.folder.real.join(target))?;
        }
        Err(invalid(format!("`{}` is a link to a link, too many times", shown(path))))
    }

    fn open_place(&self, right: Right, asked: &str, path: &Path) -> Result<Place, Error> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(invalid(format!("`{}` names no file in a directory", shown(asked))));
        };
        Place::at(folder, name).map_err(|source| self.untold(right, asked, &source))
    }

    /// Why something could not be opened, told only to those who may know what is there.
    pub(super) fn untold(&self, right: Right, asked: &str, source: &io::Error) -> Error {
        let likely = likely(Path::new(asked));
        if self.covers(right, &likely) { failed(asked, source) } else { denied(&self.module, right, asked, &likely) }
    }

    pub(super) fn covers(&self, right: Right, real: &Path) -> bool {
        let resolve = |path: &Path| path.canonicalize().ok();
        match right {
            Right::Read => self.grant.may_read(real, resolve),
            Right::Write => self.grant.may_write(real, resolve),
            _ => false,
        }
    }
}

/// Where a path that does not exist would be: the part of it that exists, links followed, and the
/// rest as it is written.
pub(super) fn likely(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

/// Refuses the memory of processes and of the kernel, whatever was granted: the minion's own holds its key, and
/// a pattern such as `/proc/**` is not meant for that.
fn refuse_memory(asked: &str, real: &Path) -> Result<(), Error> {
    let of_process = real.file_name() == Some(OsStr::new("mem")) && real.starts_with("/proc");
    if of_process || real == Path::new("/proc/kcore") {
        let message = format!("`{}` is the memory of running programs, which no grant covers", shown(asked));
        return Err(error(ErrorKind::Denied, message, None));
    }
    Ok(())
}

/// Refuses what no path can be.
pub(super) fn check(path: &str) -> Result<(), Error> {
    if path.contains('\0') {
        return Err(invalid(format!("`{}` has a NUL character in it", shown(path))));
    }
    if !path.starts_with('/') {
        return Err(invalid(format!("`{}` is not an absolute path", shown(path))));
    }
    Ok(())
}

/// Whether a path climbs: then its text does not say which folders it names.
pub(super) fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}
