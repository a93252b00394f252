//! Where what hosts send lands: below one folder, whatever they say.
//!
//! A file is written beside its place under a name that says which bytes it is to become (of which version of which file, where
//! a host tells the digest only behind the bytes), so that what was
//! cut off goes on where it stopped, also in another process; it takes its place by a rename when it is
//! whole and right. Names are a host's words: each part of a path has to be a plain name, or the path is
//! refused, and nothing but files and folders is ever made.
//!
//! A file that cannot be had holds up no other: it is named at the end, and the fetch counts as failed.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use super::{
    Fetched, Fleet, Outcome, Reason, Request,
    haul::{Haul, LeftOut},
};
use crate::{
    ca::Host,
    ids::Digest,
    sys::durable,
    transfer::Name,
    wire::{Call, RemoteError, Value},
};

/// The permission bits that are taken over.
const MODE: u32 = 0o777;
/// So often an offer that has ended, or a file that has changed, is asked for anew.
const ATTEMPTS: u32 = 3;

/// A path that a host gave and that leads somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names a file `{}`, which is no path below a folder", .0.escape_debug())]
pub(super) struct HostileName(String);

/// What a host lists.
enum Listed {
    Entry(Entry),
    LeftOut(LeftOut),
}

/// What a host says of one file or folder.
struct Entry {
    path: String,
    folder: bool,
    mode: u32,
}

impl Fleet {
    /// Fetches a file, or a folder with all that is in it, to `folder`, which is made. `moved` is told of
    /// bytes as they come. Answers how many files and bytes there are.
    pub async fn fetch_tree(
        &self,
        host: &Host,
        path: &str,
        folder: &Path,
        ask: &(dyn Fn(&Call) -> Request + Sync),
        moved: &(dyn Fn(u64) + Sync),
    ) -> Outcome {
        match self.fetch_all(host, path, folder, ask, moved).await {
            Ok(haul) => haul.outcome(),
            Err(outcome) => outcome,
        }
    }

    async fn fetch_all(
        &self,
        host: &Host,
        path: &str,
        folder: &Path,
        ask: &(dyn Fn(&Call) -> Request + Sync),
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Haul, Outcome> {
        let listed = self.call(host, &ask(&Call::new("getfile.list", vec![path.into()]))).await;
        let Value::Array(listed) = result(listed)? else { return Err(nonsense()) };
        let listed = listed.iter().map(Listed::read).collect::<Option<Vec<_>>>().ok_or_else(nonsense)?;
        let top = path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("root");
        let mut haul = Haul::default();
        for listed in listed {
            let entry = match listed {
                Listed::Entry(entry) => entry,
                Listed::LeftOut(left_out) => {
                    haul.leave_out(left_out);
                    continue;
                }
            };
            let name = if entry.path.is_empty() { top.to_owned() } else { format!("{top}/{}", entry.path) };
            let place = folder.join(relative(&name).map_err(|error| refused(error.to_string()))?);
            if entry.folder {
                make_folder(&place).map_err(|error| local(&place, &error))?;
                continue;
            }
            make_folder(durable::folder_of(&place)).map_err(|error| local(&place, &error))?;
            let there = if entry.path.is_empty() { path.to_owned() } else { below(path, &entry.path) };
            match self.fetch_file(host, &there, &place, &entry, ask, moved).await {
                Ok(bytes) => haul.landed(bytes),
                Err(Outcome::Failed(error)) if !entry.path.is_empty() => {
                    haul.leave_out(LeftOut { path: entry.path, why: error.message, missing: true });
                }
                Err(outcome) => return Err(outcome),
            }
        }
        Ok(haul)
    }

    async fn fetch_file(
        &self,
        host: &Host,
        there: &str,
        place: &Path,
        entry: &Entry,
        ask: &(dyn Fn(&Call) -> Request + Sync),
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, Outcome> {
        for _ in 0..ATTEMPTS {
            let offered =
                self.call(host, &ask(&Call::new("getfile.offer", vec![there.into()])).trailing_digest()).await;
            let Value::Struct(offered) = result(offered)? else { return Err(nonsense()) };
            let (name, version) = named(&offered).ok_or_else(nonsense)?;
            let size = number(&offered, "size").ok_or_else(nonsense)?;
            let failed = |error: io::Error| local(place, &error);
            let part = part_of(place, &version);
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
            let file = options.open(&part).map_err(failed)?;
            let offset = file.metadata().map_err(failed)?.len();
            if offset > size {
                fs::remove_file(&part).map_err(failed)?;
                continue;
            }
            moved(offset);
            match self.fetch(host, name, size, (&file, offset), moved).await? {
                Fetched::Whole(whole) => {
                    whole.set_permissions(fs::Permissions::from_mode(entry.mode & MODE)).map_err(failed)?;
                    whole.sync_all().map_err(failed)?;
                    fs::rename(&part, place).map_err(failed)?;
                    durable::sync_folder(durable::folder_of(place)).map_err(failed)?;
                    return Ok(size);
                }
                Fetched::NotOffered => {}
                Fetched::Other => fs::remove_file(&part).map_err(failed)?,
            }
        }
        Err(Outcome::Failed(RemoteError::new("Changing", format!("`{there}` changes while it is fetched"))))
    }
}

impl Listed {
    fn read(value: &Value) -> Option<Self> {
        let Value::Struct(members) = value else { return None };
        let text = |key: &str| Some(members.get(key)?.as_str()?.to_owned());
        let is = |key: &str| Some(matches!(members.get(key)?, Value::Bool(true)));
        let path = text("path")?;
        if let Some(why) = text("left_out") {
            return Some(Self::LeftOut(LeftOut { path, why, missing: is("missing")? }));
        }
        let mode = u32::try_from(number(members, "mode")?).ok()?;
        Some(Self::Entry(Entry { path, folder: is("folder")?, mode }))
    }
}

/// What is offered, and what tells it from what it was or will be: its digest, or what the host says instead of that.
fn named(offered: &BTreeMap<String, Value>) -> Option<(Name, Digest)> {
    let text = |key| offered.get(key).and_then(Value::as_str);
    match text("digest") {
        Some(digest) => match digest.parse().ok()? {
            Name::Digest(digest) => Some((Name::Digest(digest), digest)),
            Name::Offer(_) => None,
        },
        None => Some((text("offer")?.parse().ok()?, text("version")?.parse().ok()?)),
    }
}

fn number(members: &BTreeMap<String, Value>, key: &str) -> Option<u64> {
    match members.get(key)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// A path below a folder, of nothing but plain names.
fn relative(name: &str) -> Result<PathBuf, HostileName> {
    let path = Path::new(name);
    let plain = !name.is_empty()
        && !name.contains(['\0', '\n'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 255)
        && path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { Ok(path.to_owned()) } else { Err(HostileName(name.chars().take(200).collect())) }
}

fn below(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

fn part_of(place: &Path, version: &Digest) -> PathBuf {
    // The name alone could be too long with more behind it.
    durable::folder_of(place).join(format!(
        ".{}-{}.func-part",
        Digest::of(place.as_os_str().as_encoded_bytes()).short(),
        version.short()
    ))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    durable::create_folder(folder, 0o755)
}

fn result(outcome: Outcome) -> Result<Value, Outcome> {
    match outcome {
        Outcome::Ok(value) => Ok(value),
        other => Err(other),
    }
}

fn nonsense() -> Outcome {
    Outcome::Lost { why: "the answer makes no sense".into() }
}

fn refused(why: String) -> Outcome {
    Outcome::Lost { why: why.into() }
}

fn local(place: &Path, error: &io::Error) -> Outcome {
    Outcome::Lost { why: Reason::new(format!("cannot write `{}` here: {error}", place.display()), error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/.", "a/", "a\0b", "../x", "a\nb"] {
            assert!(relative(name).is_err(), "{name:?}");
        }
        for name in ["a", "a/b.c", "...", "a b", "ünï", ".hidden/x"] {
            assert_eq!(relative(name).unwrap(), Path::new(name));
        }
    }
}
