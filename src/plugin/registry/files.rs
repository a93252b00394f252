//! The files of the plugin folder.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{access::SIGNATURE_SUFFIX, plugin::Error};

/// A component larger than this is refused before it is read: Python's whole interpreter is 18 MB.
const LARGEST: u64 = 256 << 20;

/// What tells that a file has changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin) struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// No signature file is anywhere near as large.
const LARGEST_SIGNATURE: u64 = 16 << 10;

/// The stamps of a plugin file and of its signature, which may come and go by themselves.
pub(in crate::plugin) type Stamps = (Stamp, Option<Stamp>);

/// The plugin files of a folder, in the order of their names. Hidden files are not plugins: tools that
/// replace a file by a rename write the new one under such a name.
pub(in crate::plugin) fn list(folder: &Path) -> io::Result<BTreeMap<PathBuf, Stamps>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || !name.ends_with(".wasm") {
            continue;
        }
        if let Some(stamp) = stamp(&entry.path()) {
            found.insert(entry.path(), (stamp, self::stamp(&signature_of(&entry.path()))));
        }
    }
    Ok(found)
}

/// The stamp of a file. A file that vanishes now was never there; a link that leads nowhere is no plugin.
fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(Stamp {
        size: meta.size(),
        inode: meta.ino(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

/// Reads a plugin file whole.
pub(in crate::plugin) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_bounded(path, LARGEST, "no component is larger than 256 MiB")
        .map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Reads the signature of a plugin file, if there is one. What is no text is no signature, which is for
/// whoever reads it to say.
pub(in crate::plugin) fn read_signature(plugin: &Path) -> Result<Option<String>, Error> {
    let path = signature_of(plugin);
    match read_bounded(&path, LARGEST_SIGNATURE, "no signature is larger than 16 KiB") {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path, source }),
    }
}

fn read_bounded(path: &Path, largest: u64, why: &'static str) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > largest {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    fs::read(path)
}

fn signature_of(plugin: &Path) -> PathBuf {
    let mut path = plugin.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    path.into()
}
