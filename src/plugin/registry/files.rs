//! The files of the plugin folder.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::plugin::Error;

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

/// The plugin files of a folder, in the order of their names. Hidden files are not plugins: tools that
/// replace a file by a rename write the new one under such a name.
pub(in crate::plugin) fn list(folder: &Path) -> io::Result<BTreeMap<PathBuf, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || !name.ends_with(".wasm") {
            continue;
        }
        // A file that vanishes now was never there; a link that leads nowhere is no plugin.
        let Ok(meta) = fs::metadata(entry.path()) else { continue };
        if meta.is_file() {
            let stamp = Stamp {
                size: meta.size(),
                inode: meta.ino(),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            };
            found.insert(entry.path(), stamp);
        }
    }
    Ok(found)
}

/// Reads a plugin file whole.
pub(in crate::plugin) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > LARGEST {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "no component is larger than 256 MiB")));
    }
    fs::read(path).map_err(failed)
}
