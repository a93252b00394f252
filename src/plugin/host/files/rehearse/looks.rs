//! Looks that see what was planned for a place, and the machine elsewhere.

use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::unistd::{Gid, Uid};

use super::super::{
    super::{
        Access, Error,
        bindings::minion::host::{
            files::{Entry, Kind, Metadata},
            types::Datetime,
        },
        denial::{Right, denied, failed, invalid, shown},
    },
    calls,
    look::{self, too_large},
    overlay::{Overlay, Planned},
    reach::{self, likely},
};

/// What is planned for a path that the module looks at; nothing where the machine is to be asked.
fn seen<'a>(access: &Access, overlay: &'a Overlay, path: &str) -> Result<Option<(PathBuf, &'a Planned)>, Error> {
    if overlay.is_empty() {
        return Ok(None);
    }
    reach::check(path)?;
    let place = likely(Path::new(path));
    let Some(planned) = overlay.at(&place) else { return Ok(None) };
    if access.covers(Right::Read, &place) {
        Ok(Some((place, planned)))
    } else {
        Err(denied(&access.module, Right::Read, path, &place))
    }
}

fn contents<'a>(path: &str, planned: &'a Planned) -> Result<&'a [u8], Error> {
    match planned {
        Planned::File { contents, .. } => Ok(contents),
        Planned::Folder => Err(invalid(format!("`{}` is not a regular file", shown(path)))),
        Planned::Gone => Err(failed(path, &io::ErrorKind::NotFound.into())),
    }
}

pub(in crate::plugin::host::files) fn read(access: &Access, overlay: &Overlay, path: &str) -> Result<Vec<u8>, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => match contents(path, planned)? {
            bytes if bytes.len() > access.limits.file_bytes => Err(too_large(path, access.limits.file_bytes)),
            bytes => Ok(bytes.to_vec()),
        },
        None => look::read(access, path),
    }
}

pub(in crate::plugin::host::files) fn read_text(
    access: &Access,
    overlay: &Overlay,
    path: &str,
) -> Result<String, Error> {
    match seen(access, overlay, path)? {
        Some(_) => String::from_utf8(read(access, overlay, path)?)
            .map_err(|_| invalid(format!("`{}` is not text in UTF-8", shown(path)))),
        None => look::read_text(access, path),
    }
}

pub(in crate::plugin::host::files) fn read_part(
    access: &Access,
    overlay: &Overlay,
    call: &calls::ReadPart,
) -> Result<Vec<u8>, Error> {
    let calls::ReadPart { path, offset, length } = call;
    match seen(access, overlay, path)? {
        Some((_, planned)) => {
            let bytes = contents(path, planned)?;
            let from = usize::try_from(*offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(*length as usize).min(bytes.len());
            Ok(bytes[from..to].to_vec())
        }
        None => look::read_part(access, path, *offset, *length),
    }
}

pub(in crate::plugin::host::files) fn exists(access: &Access, overlay: &Overlay, path: &str) -> Result<bool, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => Ok(*planned != Planned::Gone),
        None => look::exists(access, path),
    }
}

pub(in crate::plugin::host::files) fn stat(access: &Access, overlay: &Overlay, path: &str) -> Result<Metadata, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => metadata(path, planned),
        None => look::stat(access, path),
    }
}

pub(in crate::plugin::host::files) fn stat_link(
    access: &Access,
    overlay: &Overlay,
    path: &str,
) -> Result<Metadata, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => metadata(path, planned),
        None => look::stat_link(access, path),
    }
}

pub(in crate::plugin::host::files) fn read_link(
    access: &Access,
    overlay: &Overlay,
    path: &str,
) -> Result<String, Error> {
    match seen(access, overlay, path)? {
        Some((_, Planned::Gone)) => Err(failed(path, &io::ErrorKind::NotFound.into())),
        Some(_) => Err(invalid(format!("`{}` is no symbolic link", shown(path)))),
        None => look::read_link(access, path),
    }
}

pub(in crate::plugin::host::files) fn list(
    access: &Access,
    overlay: &Overlay,
    path: &str,
) -> Result<Vec<Entry>, Error> {
    let mut entries = match seen(access, overlay, path)? {
        Some((_, Planned::Folder)) => Vec::new(),
        Some((_, Planned::File { .. })) => return Err(invalid(format!("`{}` is not a directory", shown(path)))),
        Some((_, Planned::Gone)) => return Err(failed(path, &io::ErrorKind::NotFound.into())),
        None => look::list(access, path)?,
    };
    let place = likely(Path::new(path));
    for (name, planned) in overlay.children(&place) {
        entries.retain(|entry| entry.name != name);
        let kind = match planned {
            Planned::Gone => continue,
            Planned::File { .. } => Kind::File,
            Planned::Folder => Kind::Directory,
        };
        entries.push(Entry { name: name.to_owned(), kind });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn metadata(path: &str, planned: &Planned) -> Result<Metadata, Error> {
    let (kind, size, mode, owner) = match planned {
        Planned::File { contents, mode, owner } => (Kind::File, contents.len() as u64, *mode, *owner),
        Planned::Folder => (Kind::Directory, 0, 0o755, None),
        Planned::Gone => return Err(failed(path, &io::ErrorKind::NotFound.into())),
    };
    let (uid, gid) = owner.unwrap_or((Uid::effective().as_raw(), Gid::effective().as_raw()));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Metadata {
        kind,
        size,
        mode,
        uid,
        gid,
        owner: look::user_name(uid),
        group: look::group_name(gid),
        links: 1,
        modified: Datetime { seconds: i64::try_from(now.as_secs()).unwrap_or_default(), nanoseconds: 0 },
    })
}
