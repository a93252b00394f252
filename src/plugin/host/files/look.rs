//! Reading and looking.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::AsRawFd,
        unix::fs::{FileExt, FileTypeExt},
    },
};

use nix::{
    fcntl::{OFlag, readlinkat},
    sys::stat::{FileStat, SFlag},
    unistd::{Gid, Group, Uid, User},
};

use super::{
    super::{
        Error, ErrorKind,
        bindings::minion::host::{
            files::{Entry, Kind, Metadata},
            types::Datetime,
        },
        denial::{Right, failed, invalid, shown},
        error,
    },
    Access,
    reach::{self, kind_of},
};

pub(super) fn read(access: &Access, path: &str) -> Result<Vec<u8>, Error> {
    let file = open_regular(access, path)?;
    let limit = access.limits.file_bytes;
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|source| failed(path, &source))?;
    if bytes.len() > limit { Err(too_large(path, limit)) } else { Ok(bytes) }
}

pub(super) fn read_text(access: &Access, path: &str) -> Result<String, Error> {
    String::from_utf8(read(access, path)?).map_err(|_| invalid(format!("`{}` is not text in UTF-8", shown(path))))
}

pub(super) fn read_part(access: &Access, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
    let (length, limit) = (length as usize, access.limits.file_bytes);
    if length > limit {
        return Err(error(ErrorKind::TooLarge, format!("{length} bytes are more than the limit of {limit}"), None));
    }
    let file = open_regular(access, path)?;
    let mut bytes = vec![0; length];
    let mut got = 0;
    while got < length {
        match file.read_at(&mut bytes[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(failed(path, &source)),
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// Opens a regular file, which those of /proc and /sys are, too. A pipe would wait, a device might
/// never end.
fn open_regular(access: &Access, path: &str) -> Result<File, Error> {
    let reached = access.reach(path)?;
    let stat = reached.stat().map_err(|source| failed(path, &source))?;
    if kind_of(&stat) != SFlag::S_IFREG {
        return Err(invalid(format!("`{}` is not a regular file", shown(path))));
    }
    reached.reopen(OFlag::O_RDONLY).map_err(|source| failed(path, &source))
}

pub(super) fn too_large(path: &str, limit: usize) -> Error {
    error(ErrorKind::TooLarge, format!("`{}` is larger than the limit of {limit} bytes", shown(path)), None)
}

pub(super) fn list(access: &Access, path: &str) -> Result<Vec<Entry>, Error> {
    let wrong = |source: io::Error| failed(path, &source);
    let folder = access.reach(path)?;
    let open = folder.reopen(OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(wrong)?;
    let limit = access.limits.directory_entries;
    let mut entries = Vec::new();
    for entry in fs::read_dir(format!("/proc/self/fd/{}", open.as_raw_fd())).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        if entries.len() == limit {
            let message = format!("`{}` has more than the limit of {limit} names", shown(path));
            return Err(error(ErrorKind::TooLarge, message, None));
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        // A file that vanishes while the directory is read is of no kind that we know.
        entries.push(Entry { name, kind: entry.file_type().map_or(Kind::Other, kind) });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn kind(kind: fs::FileType) -> Kind {
    match kind {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Symlink,
        kind if kind.is_fifo() => Kind::Fifo,
        kind if kind.is_socket() => Kind::Socket,
        kind if kind.is_char_device() => Kind::CharacterDevice,
        kind if kind.is_block_device() => Kind::BlockDevice,
        _ => Kind::Other,
    }
}

pub(super) fn stat(access: &Access, path: &str) -> Result<Metadata, Error> {
    let stat = access.reach(path)?.stat().map_err(|source| failed(path, &source))?;
    Ok(metadata(&stat))
}

pub(super) fn stat_link(access: &Access, path: &str) -> Result<Metadata, Error> {
    if path.ends_with('/') {
        return stat(access, path);
    }
    let place = access.place(Right::Read, path)?;
    place.stat.as_ref().map(metadata).ok_or_else(|| failed(path, &io::ErrorKind::NotFound.into()))
}

pub(super) fn exists(access: &Access, path: &str) -> Result<bool, Error> {
    match access.reach(path) {
        Ok(_) => Ok(true),
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn read_link(access: &Access, path: &str) -> Result<String, Error> {
    let place = access.place(Right::Read, path)?;
    match place.stat {
        None => return Err(failed(path, &io::ErrorKind::NotFound.into())),
        Some(_) if !place.is(SFlag::S_IFLNK) => return Err(invalid(format!("`{}` is no symbolic link", shown(path)))),
        Some(_) => {}
    }
    let target = readlinkat(&place.folder, place.name.as_os_str()).map_err(|error| failed(path, &error.into()))?;
    target.into_string().map_err(|_| invalid(format!("the target of `{}` is not UTF-8", shown(path))))
}

pub(super) fn user_name(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

pub(super) fn group_name(gid: u32) -> Option<String> {
    Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name)
}

fn metadata(stat: &FileStat) -> Metadata {
    Metadata {
        kind: match reach::kind_of(stat) {
            SFlag::S_IFREG => Kind::File,
            SFlag::S_IFDIR => Kind::Directory,
            SFlag::S_IFLNK => Kind::Symlink,
            SFlag::S_IFIFO => Kind::Fifo,
            SFlag::S_IFSOCK => Kind::Socket,
            SFlag::S_IFCHR => Kind::CharacterDevice,
            SFlag::S_IFBLK => Kind::BlockDevice,
            _ => Kind::Other,
        },
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        owner: user_name(stat.st_uid),
        group: group_name(stat.st_gid),
        #[allow(clippy::useless_conversion, reason = "u32 on other architectures")]
        links: stat.st_nlink.into(),
        modified: Datetime {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
    }
}
