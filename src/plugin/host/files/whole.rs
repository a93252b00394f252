//! Whole files for the daemon itself: placed where they were sent to, opened for whoever fetches them.
//!
//! By the rules that modules live under: the grant covers the file that was really reached, what is written
//! is written beside its place and renamed into it, and no program gets the rights of its owner this way.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{AT_FDCWD, OFlag, openat, renameat},
    sys::stat::{FileStat, Mode, SFlag, fchmod},
    unistd::{Gid, Group, Uid, User, fchown},
};
use uuid::Uuid;

use super::{
    super::{
        Access, Error,
        denial::{Right, failed, invalid, shown},
    },
    change::{self, Draft, NEW_FILE, SETTABLE},
    reach::kind_of,
};
use crate::{access::Grant, ids::ModuleName, plugin::context::Limits};

/// What the daemon may do with the machine's files on behalf of its callers.
#[derive(Clone)]
pub struct HostFiles {
    pub(super) access: Access,
}

/// Why a file was not placed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct FileError {
    /// `denied`, `not-found` and so on.
    pub kind: &'static str,
    message: String,
    hint: Option<String>,
}

impl From<Error> for FileError {
    fn from(error: Error) -> Self {
        Self { kind: error.kind.name(), message: error.message, hint: error.hint }
    }
}

/// How a file is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Permission bits, without set-user-id and set-group-id; as what it replaces has them if `None`.
    pub mode: Option<u32>,
    /// Whose, by name or number; as what it replaces if `None`. For root only.
    pub owner: Option<String>,
    /// The same of its group.
    pub group: Option<String>,
}

impl Manner {
    fn check(&self) -> Result<(), Error> {
        match self.mode.filter(|mode| *mode > SETTABLE) {
            Some(mode) => Err(invalid(format!(
                "the mode {mode:#o} cannot be set: {SETTABLE:#o} is the most, without the set-user-id and \
                 set-group-id bits"
            ))),
            None => Ok(()),
        }
    }

    fn ids(&self) -> Result<(Option<Uid>, Option<Gid>), Error> {
        Ok((self.owner.as_deref().map(user).transpose()?, self.group.as_deref().map(group_of).transpose()?))
    }
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Its path, from the folder that was asked for; empty for that itself.
    pub path: String,
    /// Whether it is a folder, which are all that there is besides files.
    pub folder: bool,
    /// How long it is.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// The name of its owner, or the number.
    pub owner: String,
    /// The name of its group, or the number.
    pub group: String,
}

impl FileFacts {
    pub(super) fn of(path: String, stat: &FileStat) -> Self {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        Self {
            path,
            folder: kind_of(stat) == SFlag::S_IFDIR,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mode: stat.st_mode & 0o7777,
            owner: User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name),
            group: Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name),
        }
    }
}

impl HostFiles {
    /// With this grant, which stands in the configuration under this name.
    pub fn new(name: ModuleName, grant: Grant) -> Self {
        let far = Instant::now() + Duration::from_hours(24);
        Self { access: Access::new(name, None, Arc::new(grant), Limits::default(), Arc::default(), far) }
    }

    /// Whether a file may be placed there.
    pub fn may_place(&self, path: &str, manner: &Manner) -> Result<(), FileError> {
        self.placeable(path, manner).map(drop).map_err(FileError::from)
    }

    fn placeable(&self, path: &str, manner: &Manner) -> Result<super::reach::Place, Error> {
        manner.check()?;
        let place = self.access.place_followed(Right::Write, path)?;
        if place.is(SFlag::S_IFDIR) {
            return Err(invalid(format!("`{0}` is a directory: write `{0}/` to put the file into it", shown(path))));
        }
        if place.stat.is_some() && !place.is(SFlag::S_IFREG) {
            return Err(invalid(format!("`{}` is not a regular file", shown(path))));
        }
        if change::is_interface(&place).map_err(|source| failed(path, &source))? {
            return Err(invalid(format!("`{}` is in a file system of the kernel's own", shown(path))));
        }
        Ok(place)
    }

    /// Puts the file at `staged`, which is `file`, under `path`; the name `staged` is gone then, if both are
    /// on one file system. Whether it replaced anything.
    pub fn place(&self, path: &str, file: &File, staged: &Path, manner: &Manner) -> Result<bool, FileError> {
        let place = self.placeable(path, manner)?;
        let (uid, gid) = manner.ids()?;
        let kept = place.stat.as_ref();
        let mode = manner.mode.or_else(|| kept.map(|stat| stat.st_mode & SETTABLE)).unwrap_or(NEW_FILE);
        let uid = uid.or_else(|| kept.map(|stat| Uid::from_raw(stat.st_uid)));
        let gid = gid.or_else(|| kept.map(|stat| Gid::from_raw(stat.st_gid)));
        let wrong = |source: io::Error| FileError::from(failed(path, &source));
        let name = format!(".{}.new", Uuid::now_v7());
        let copied = if renameat(AT_FDCWD, staged, &place.folder, name.as_str()).is_ok() {
            None
        } else {
            // Another file system: the bytes have to be written once more.
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let created = openat(&place.folder, name.as_str(), flags, Mode::from_bits_truncate(0o600));
            Some(File::from(created.map_err(|error| wrong(error.into()))?))
        };
        let draft = Draft { place: &place, name: Some(name.into()) };
        let written = || -> io::Result<()> {
            let file = match &copied {
                Some(copy) => {
                    let (mut from, mut to) = (file, copy);
                    from.seek(SeekFrom::Start(0))?;
                    io::copy(&mut from, &mut to)?;
                    copy
                }
                None => file,
            };
            if Uid::effective().is_root() {
                fchown(file, uid, gid)?;
            }
            fchmod(file, Mode::from_bits_truncate(mode))?;
            file.sync_all()
        };
        written().map_err(wrong)?;
        draft.replace(&place).map_err(wrong)?;
        Ok(place.stat.is_some())
    }

    /// Makes a folder, and those above it that are missing. One that is there already becomes as `manner` says, too.
    pub fn make_folder(&self, path: &str, manner: &Manner) -> Result<(), FileError> {
        manner.check()?;
        let (uid, gid) = manner.ids()?;
        change::make_dir(&self.access, path)?;
        if *manner == Manner::default() {
            return Ok(());
        }
        let wrong = |source: io::Error| FileError::from(failed(path, &source));
        let place = self.access.place_followed(Right::Write, path)?;
        if change::is_interface(&place).map_err(wrong)? {
            return Err(invalid(format!("`{}` is in a file system of the kernel's own", shown(path))).into());
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder =
            openat(&place.folder, place.name.as_os_str(), flags, Mode::empty()).map_err(|e| wrong(e.into()))?;
        if Uid::effective().is_root() {
            fchown(&folder, uid, gid).map_err(|error| wrong(error.into()))?;
        }
        match manner.mode {
            Some(mode) => fchmod(&folder, Mode::from_bits_truncate(mode)).map_err(|error| wrong(error.into())),
            None => Ok(()),
        }
    }

    /// Opens a regular file.
    pub fn open(&self, path: &str) -> Result<(File, FileFacts), FileError> {
        let wrong = |source: io::Error| failed(path, &source);
        let reached = self.access.reach(path)?;
        let stat = reached.stat().map_err(wrong)?;
        if kind_of(&stat) != SFlag::S_IFREG {
            return Err(invalid(format!("`{}` is not a regular file", shown(path))).into());
        }
        let file = reached.reopen(OFlag::O_RDONLY).map_err(wrong)?;
        Ok((file, FileFacts::of(String::new(), &stat)))
    }
}

impl std::fmt::Debug for HostFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostFiles").field("module", &self.access.module).finish_non_exhaustive()
    }
}

fn user(name: &str) -> Result<Uid, Error> {
    let found = User::from_name(name).ok().flatten().map(|user| user.uid);
    let found = found.or_else(|| name.parse().ok().map(Uid::from_raw));
    found.ok_or_else(|| invalid(format!("there is no user `{}`", shown(name))))
}

fn group_of(name: &str) -> Result<Gid, Error> {
    let found = Group::from_name(name).ok().flatten().map(|group| group.gid);
    let found = found.or_else(|| name.parse().ok().map(Gid::from_raw));
    found.ok_or_else(|| invalid(format!("there is no group `{}`", shown(name))))
}
