//! Changes that are only planned: what each would do, or why it would fail.

use std::{io, path::Path};

use super::{
    super::{
        super::{
            Access, Error,
            denial::{Right, denied, failed, invalid, shown},
        },
        calls, change,
        overlay::{Overlay, Planned},
        reach::{self, likely},
    },
    target::{Now, Target},
};
use crate::plugin::plan::{Contents, Effect};

/// A change that is planned: what it would do, or why it would fail.
pub(in crate::plugin::host::files) type Planning = Result<Option<Effect>, Error>;

pub(in crate::plugin::host::files) fn write(access: &Access, overlay: &mut Overlay, call: &calls::Write) -> Planning {
    change::check_size_and_mode(access, &call.path, &call.contents, call.mode)?;
    let target = Target::writable(access, overlay, &call.path)?;
    replace(overlay, target, call.contents.clone(), call.mode)
}

pub(in crate::plugin::host::files) fn create(access: &Access, overlay: &mut Overlay, call: &calls::Create) -> Planning {
    change::check_size_and_mode(access, &call.path, &call.contents, call.mode)?;
    let target = Target::find(access, overlay, &call.path, false)?;
    if !matches!(target.now, Now::Nothing) {
        return Err(failed(&call.path, &io::ErrorKind::AlreadyExists.into()));
    }
    replace(overlay, target, call.contents.clone(), call.mode)
}

pub(in crate::plugin::host::files) fn append(access: &Access, overlay: &mut Overlay, call: &calls::Append) -> Planning {
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

pub(in crate::plugin::host::files) fn remove(access: &Access, overlay: &mut Overlay, path: &str) -> Planning {
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

pub(in crate::plugin::host::files) fn make_dir(access: &Access, overlay: &mut Overlay, path: &str) -> Planning {
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
