//! Files in a check: looks that see what was planned, and changes that are only planned.
//!
//! A change is judged as it always is: the path, the size, the mode, the grant. What is there already is
//! shown to the caller by size and digest, and line by line only where the module may read it itself.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use nix::{
    sys::stat::SFlag,
    unistd::{Gid, Uid},
};

use super::{
    super::{
        Access, Error,
        bindings::minion::host::{
            files::{Entry, Kind, Metadata},
            types::Datetime,
        },
        denial::{Right, denied, failed, invalid, shown},
    },
    calls, change,
    look::{self, too_large},
    overlay::{Overlay, Planned},
    reach::{self, likely},
};
use crate::{
    ids::Digest,
    plugin::plan::{Contents, Effect, difference},
};

/// A file up to this size is compared line by line.
const DIFF: usize = 64 << 10;

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

pub(super) fn read(access: &Access, overlay: &Overlay, path: &str) -> Result<Vec<u8>, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => match contents(path, planned)? {
            bytes if bytes.len() > access.limits.file_bytes => Err(too_large(path, access.limits.file_bytes)),
            bytes => Ok(bytes.to_vec()),
        },
        None => look::read(access, path),
    }
}

pub(super) fn read_text(access: &Access, overlay: &Overlay, path: &str) -> Result<String, Error> {
    match seen(access, overlay, path)? {
        Some(_) => String::from_utf8(read(access, overlay, path)?)
            .map_err(|_| invalid(format!("`{}` is not text in UTF-8", shown(path)))),
        None => look::read_text(access, path),
    }
}

pub(super) fn read_part(access: &Access, overlay: &Overlay, call: &calls::ReadPart) -> Result<Vec<u8>, Error> {
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

pub(super) fn exists(access: &Access, overlay: &Overlay, path: &str) -> Result<bool, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => Ok(*planned != Planned::Gone),
        None => look::exists(access, path),
    }
}

pub(super) fn stat(access: &Access, overlay: &Overlay, path: &str) -> Result<Metadata, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => metadata(path, planned),
        None => look::stat(access, path),
    }
}

pub(super) fn stat_link(access: &Access, overlay: &Overlay, path: &str) -> Result<Metadata, Error> {
    match seen(access, overlay, path)? {
        Some((_, planned)) => metadata(path, planned),
        None => look::stat_link(access, path),
    }
}

pub(super) fn read_link(access: &Access, overlay: &Overlay, path: &str) -> Result<String, Error> {
    match seen(access, overlay, path)? {
        Some((_, Planned::Gone)) => Err(failed(path, &io::ErrorKind::NotFound.into())),
        Some(_) => Err(invalid(format!("`{}` is no symbolic link", shown(path)))),
        None => look::read_link(access, path),
    }
}

pub(super) fn list(access: &Access, overlay: &Overlay, path: &str) -> Result<Vec<Entry>, Error> {
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

/// The place that a change is about, and what is there now.
struct Target {
    place: PathBuf,
    now: Now,
    /// Whether the module could read it.
    readable: bool,
}

enum Now {
    Nothing,
    Folder,
    Special,
    File { contents: Option<Vec<u8>>, size: u64, mode: u32, owner: Option<(u32, u32)> },
}

impl Target {
    fn find(access: &Access, overlay: &Overlay, path: &str, follow: bool) -> Result<Self, Error> {
        reach::check(path)?;
        let place = if follow { likely(Path::new(path)) } else { unfollowed(Path::new(path)) };
        let inside = place.parent().and_then(|folder| overlay.at(folder));
        let now = match (overlay.at(&place), inside) {
            (Some(_), _) | (None, Some(Planned::Folder)) if !access.covers(Right::Write, &place) => {
                return Err(denied(&access.module, Right::Write, path, &place));
            }
            (Some(Planned::Gone), _) | (None, Some(Planned::Folder)) => Now::Nothing,
            (Some(Planned::Folder), _) => Now::Folder,
            (Some(Planned::File { contents, mode, owner }), _) => {
                let (contents, size) = (Some(contents.clone()), contents.len() as u64);
                Now::File { contents, size, mode: *mode, owner: *owner }
            }
            (None, Some(_)) => return Err(failed(path, &io::ErrorKind::NotFound.into())),
            (None, None) => return Self::on_the_machine(access, path, follow),
        };
        let readable = access.covers(Right::Read, &place);
        Ok(Self { place, now, readable })
    }

    fn on_the_machine(access: &Access, path: &str, follow: bool) -> Result<Self, Error> {
        let at = if follow { access.place_followed(Right::Write, path) } else { access.place(Right::Write, path) }?;
        let place = at.real();
        let now = match &at.stat {
            None => Now::Nothing,
            Some(_) if at.is(SFlag::S_IFDIR) => Now::Folder,
            Some(stat) if at.is(SFlag::S_IFREG) => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                let contents = at.open_file().ok().and_then(|file| whole(file, access.limits.file_bytes));
                Now::File { contents, size, mode: stat.st_mode & 0o7777, owner: Some((stat.st_uid, stat.st_gid)) }
            }
            Some(_) => Now::Special,
        };
        let readable = access.covers(Right::Read, &place);
        Ok(Self { place, now, readable })
    }

    /// A file that can be written, or the place for one.
    fn writable(access: &Access, overlay: &Overlay, path: &str) -> Result<Self, Error> {
        let target = Self::find(access, overlay, path, true)?;
        if matches!(target.now, Now::Folder | Now::Special) {
            return Err(invalid(format!("`{}` is not a regular file", shown(path))));
        }
        Ok(target)
    }

    fn effect(&self, after: Option<&Planned>) -> Effect {
        let digested = |bytes: &[u8]| Contents::File { size: bytes.len() as u64, digest: Some(Digest::of(bytes)) };
        let (before, old) = match &self.now {
            Now::Nothing => (None, Some(&[][..])),
            Now::Folder => (Some(Contents::Folder), None),
            Now::Special => (Some(Contents::Special), None),
            Now::File { contents: Some(bytes), .. } => (Some(digested(bytes)), Some(&bytes[..])),
            Now::File { contents: None, size, .. } => (Some(Contents::File { size: *size, digest: None }), None),
        };
        let (after, new) = match after {
            None | Some(Planned::Gone) => (None, None),
            Some(Planned::Folder) => (Some(Contents::Folder), None),
            Some(Planned::File { contents, .. }) => (Some(digested(contents)), Some(&contents[..])),
        };
        let diff = match (old, new) {
            (Some(old), Some(new)) if self.tells() && old.len().max(new.len()) <= DIFF && old != new => {
                difference(old, new)
            }
            _ => None,
        };
        Effect::File { path: self.place.display().to_string(), before, after, diff }
    }

    /// Whether what is there may be shown.
    fn tells(&self) -> bool {
        self.readable || matches!(self.now, Now::Nothing)
    }
}

fn whole(file: File, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limit).then_some(bytes)
}

/// Where a path is whose last part is not followed.
fn unfollowed(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => likely(folder).join(name),
        _ => path.to_owned(),
    }
}

/// A change that is planned: what it would do, or why it would fail.
pub(super) type Planning = Result<Option<Effect>, Error>;

pub(super) fn write(access: &Access, overlay: &mut Overlay, call: &calls::Write) -> Planning {
    change::check_size_and_mode(access, &call.path, &call.contents, call.mode)?;
    let target = Target::writable(access, overlay, &call.path)?;
    replace(overlay, target, call.contents.clone(), call.mode)
}

pub(super) fn create(access: &Access, overlay: &mut Overlay, call: &calls::Create) -> Planning {
    change::check_size_and_mode(access, &call.path, &call.contents, call.mode)?;
    let target = Target::find(access, overlay, &call.path, false)?;
    if !matches!(target.now, Now::Nothing) {
        return Err(failed(&call.path, &io::ErrorKind::AlreadyExists.into()));
    }
    replace(overlay, target, call.contents.clone(), call.mode)
}

pub(super) fn append(access: &Access, overlay: &mut Overlay, call: &calls::Append) -> Planning {
    change::check_size_and_mode(access, &call.path, &call.contents, None)?;
    let target = Target::writable(access, overlay, &call.path)?;
    match &target.now {
        // Too large to be kept: the plan has it, later looks do not.
        Now::File { contents: None, size, .. } => {
            let (before, size) = (Contents::File { size: *size, digest: None }, size + call.contents.len() as u64);
            let after = Some(Contents::File { size, digest: None });
            Ok(Some(Effect::File { path: target.place.display().to_string(), before: Some(before), after, diff: None }))
        }
        Now::File { contents: Some(old), .. } => {
            let all = [old, &call.contents[..]].concat();
            replace(overlay, target, all, None)
        }
        _ => replace(overlay, target, call.contents.clone(), None),
    }
}

fn replace(overlay: &mut Overlay, target: Target, contents: Vec<u8>, mode: Option<u32>) -> Planning {
    let (old_mode, owner) = match &target.now {
        Now::File { mode, owner, .. } => (Some(*mode), *owner),
        _ => (None, None),
    };
    let mode = mode.or(old_mode.map(|mode| mode & change::SETTABLE)).unwrap_or(change::NEW_FILE);
    let planned = Planned::File { contents, mode, owner };
    let effect = target.effect(Some(&planned));
    overlay.put(target.place, planned)?;
    Ok(Some(effect))
}

pub(super) fn remove(access: &Access, overlay: &mut Overlay, path: &str) -> Planning {
    let target = Target::find(access, overlay, path, false)?;
    match &target.now {
        Now::Nothing => return Err(failed(path, &io::ErrorKind::NotFound.into())),
        Now::Folder if !is_empty(overlay, &target.place) => {
            return Err(failed(path, &io::ErrorKind::DirectoryNotEmpty.into()));
        }
        _ => {}
    }
    let effect = target.effect(None);
    overlay.put(target.place, Planned::Gone)?;
    Ok(Some(effect))
}

fn is_empty(overlay: &Overlay, folder: &Path) -> bool {
    let gone = |name: &std::ffi::OsStr| overlay.at(&folder.join(name)) == Some(&Planned::Gone);
    let mut here = std::fs::read_dir(folder).into_iter().flatten().flatten();
    here.all(|entry| gone(&entry.file_name())) && overlay.children(folder).all(|(_, planned)| *planned == Planned::Gone)
}

pub(super) fn make_dir(access: &Access, overlay: &mut Overlay, path: &str) -> Planning {
    reach::check(path)?;
    if reach::climbs(Path::new(path)) {
        return Err(invalid(format!("`{}` has `..` in it", shown(path))));
    }
    let place = likely(Path::new(path));
    if !access.covers(Right::Write, &place) {
        return Err(denied(&access.module, Right::Write, path, &place));
    }
    let mut missing = Vec::new();
    for folder in place.ancestors() {
        match overlay.at(folder) {
            Some(Planned::Folder) => break,
            Some(Planned::File { .. }) => return Err(failed(path, &io::ErrorKind::NotADirectory.into())),
            None if folder.is_dir() => break,
            None if folder.exists() => return Err(failed(path, &io::ErrorKind::NotADirectory.into())),
            Some(Planned::Gone) | None => missing.push(folder.to_owned()),
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    for folder in &missing {
        if !access.covers(Right::Write, folder) {
            return Err(denied(&access.module, Right::Write, path, folder));
        }
    }
    for folder in missing {
        overlay.put(folder, Planned::Folder)?;
    }
    let (path, after) = (place.display().to_string(), Some(Contents::Folder));
    Ok(Some(Effect::File { path, before: None, after, diff: None }))
}
