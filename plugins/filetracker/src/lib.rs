//! Tells what changed in files that are watched.

mod list;

use std::collections::{BTreeMap, BTreeSet};

use exports::base::filetracker::filetracker::{Change, Guest, Report, TrackedFile};
use func_sdk::{
    Error, ErrorKind, Result, checked, config, file,
    files::{self, Kind, Metadata},
    job, pattern,
    sha256::Sha256,
    time,
};

func_sdk::module!(Filetracker);

/// Where the list is kept unless the operator says otherwise.
const FOLDER: &str = "/var/lib/func-filetracker";
/// How much of a file is read at once.
const PIECE: u32 = 1 << 20;

struct Filetracker;

impl Guest for Filetracker {
    fn tracked() -> Result<Vec<String>> {
        Ok(load()?.into_iter().collect())
    }

    fn track(paths: Vec<String>) -> Result<Change> {
        let paths = list::checked(&paths)?;
        change(|tracked| tracked.extend(paths))
    }

    fn untrack(paths: Vec<String>) -> Result<Change> {
        let paths = list::checked(&paths)?;
        change(|tracked| tracked.retain(|path| !paths.contains(path)))
    }

    fn inventory(digests: Option<bool>) -> Result<Report> {
        let digests = digests.unwrap_or(true);
        let tracked = load()?;
        let mut found = BTreeMap::new();
        let mut report = Report { files: Vec::new(), missing: Vec::new(), unreadable: Vec::new() };
        for (at, line) in tracked.iter().enumerate() {
            job::progress(at as u64, Some(tracked.len() as u64), line);
            let paths = match matching(line) {
                Ok(paths) => paths,
                Err(error) => {
                    report.unreadable.push((line.clone(), error.message));
                    continue;
                }
            };
            let mut any = false;
            for path in paths {
                match look(&path, digests) {
                    Ok(file) => drop(found.insert(path, file)),
                    // Listed, and yet not there: by the name that it is shown with nobody can open it.
                    Err(Error { kind: ErrorKind::NotFound, .. })
                        if path != *line && path.contains(char::REPLACEMENT_CHARACTER) =>
                    {
                        report.unreadable.push((path, "its name is not UTF-8".to_owned()));
                    }
                    Err(Error { kind: ErrorKind::NotFound, .. }) => continue,
                    Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
                    Err(error) => report.unreadable.push((path, error.message)),
                }
                any = true;
            }
            if !any {
                report.missing.push(line.clone());
            }
        }
        report.files = found.into_values().collect();
        Ok(report)
    }
}

fn folder() -> Result<String> {
    let folder = config::get("folder").unwrap_or_else(|| FOLDER.to_owned());
    Ok(checked::path("setting `folder`", &folder)?.trim_end_matches('/').to_owned())
}

fn load() -> Result<BTreeSet<String>> {
    Ok(list::parse(&file::optional(&format!("{}/tracked", folder()?))?.unwrap_or_default()))
}

fn change(change: impl FnOnce(&mut BTreeSet<String>)) -> Result<Change> {
    let before = load()?;
    let mut after = before.clone();
    change(&mut after);
    let changed = before != after;
    if changed {
        let text = list::text(&after)?;
        let folder = folder()?;
        files::make_dir(&folder)?;
        files::write(&format!("{folder}/tracked"), text.as_bytes(), Some(0o600))?;
    }
    let list = |paths: BTreeSet<String>| paths.into_iter().collect::<Vec<_>>();
    Ok(Change { before: list(before), after: list(after), changed })
}

/// The path itself, or what fits its last part.
fn matching(path: &str) -> Result<Vec<String>> {
    let (folder, last) = path.rsplit_once('/').unwrap_or_default();
    if !pattern::is_pattern(last) {
        return Ok(vec![path.to_owned()]);
    }
    let names = file::names(if folder.is_empty() { "/" } else { folder })?;
    Ok(names.iter().filter(|name| pattern::fits(last, name)).map(|name| format!("{folder}/{name}")).collect())
}

fn look(path: &str, digests: bool) -> Result<TrackedFile> {
    let meta = files::stat_link(path)?;
    let target = if meta.kind == Kind::Symlink { Some(files::read_link(path)?) } else { None };
    let digest = if digests && meta.kind == Kind::File { Some(digest(path)?) } else { None };
    Ok(told(path, meta, target, digest))
}

fn told(path: &str, meta: Metadata, target: Option<String>, digest: Option<String>) -> TrackedFile {
    let kind = match meta.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharacterDevice => "character-device",
        Kind::BlockDevice => "block-device",
        Kind::Other => "other",
    };
    TrackedFile {
        path: path.to_owned(),
        kind: kind.to_owned(),
        size: meta.size,
        mode: format!("{:04o}", meta.mode),
        owner: meta.owner.unwrap_or_else(|| meta.uid.to_string()),
        group: meta.group.unwrap_or_else(|| meta.gid.to_string()),
        modified: time::utc(meta.modified),
        target,
        digest,
    }
}

/// In pieces, since a file may be larger than what can be read at once.
fn digest(path: &str) -> Result<String> {
    let mut digest = Sha256::default();
    let mut offset = 0;
    loop {
        if job::cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the call was cancelled"));
        }
        let piece = files::read_part(path, offset, PIECE)?;
        if piece.is_empty() {
            return Ok(digest.hex());
        }
        digest.update(&piece);
        offset += piece.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use func_sdk::Datetime;

    #[test]
    fn a_file_is_told_in_words() {
        let meta = Metadata {
            kind: Kind::File,
            size: 7,
            mode: 0o4755,
            uid: 0,
            gid: 77,
            owner: Some("root".into()),
            group: None,
            links: 1,
            modified: Datetime { seconds: 0, nanoseconds: 0 },
        };
        let file = told("/bin/su", meta, None, None);
        assert_eq!((file.mode.as_str(), file.owner.as_str(), file.group.as_str()), ("4755", "root", "77"));
        assert_eq!((file.kind.as_str(), file.modified.as_str()), ("file", "1970-01-01T00:00:00Z"));
    }
}
