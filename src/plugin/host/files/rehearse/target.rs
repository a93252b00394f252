//! The place of a change, and what is there before it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use nix::sys::stat::SFlag;

use super::super::{
    super::{
        Access, Error,
        denial::{Right, denied, failed, invalid, shown},
    },
    overlay::{Overlay, Planned},
    reach::{self, likely},
};
use crate::{
    ids::Digest,
    plugin::plan::{Contents, Effect, difference},
};

/// A file up to this size is compared line by line.
const DIFF: usize = 64 << 10;

/// The place that a change is about, and what is there now.
pub(super) struct Target {
    pub(super) place: PathBuf,
    pub(super) now: Now,
    /// Whether the module could read it.
    readable: bool,
}

pub(super) enum Now {
    Nothing,
    Folder,
    Special,
    File { contents: Option<Vec<u8>>, size: u64, mode: u32, owner: Option<(u32, u32)> },
}

impl Target {
    pub(super) fn find(access: &Access, overlay: &Overlay, path: &str, follow: bool) -> Result<Self, Error> {
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
    pub(super) fn writable(access: &Access, overlay: &Overlay, path: &str) -> Result<Self, Error> {
        let target = Self::find(access, overlay, path, true)?;
        if matches!(target.now, Now::Folder | Now::Special) {
            return Err(invalid(format!("`{}` is not a regular file", shown(path))));
        }
        Ok(target)
    }

    pub(super) fn effect(&self, after: Option<&Planned>) -> Effect {
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
