//! Files that are still there after a power cut.
//!
//! A new name is durable when its folder has been fsynced, and only then; a file replaced by `rename`
//! shows either the old content or the new, never a part, when the new one was fsynced before.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    unistd::linkat,
};
use uuid::Uuid;

/// Writes `content` to `path` so that a reader, and a machine after a power cut, sees the old file or
/// the new one. The file gets exactly the given mode.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = temporary_beside(path)?;
    let written = create_new(&temporary, mode).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder)
}

/// Writes `content` to `path` durably, and fails with [`io::ErrorKind::AlreadyExists`] when the name is
/// taken. Of two writers one wins.
pub fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = temporary_beside(path)?;
    let written = create_new(&temporary, mode).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        link_new(&temporary, path)
    });
    let _ = fs::remove_file(&temporary);
    written?;
    sync_folder(folder)
}

/// Creates a file that must not exist, with exactly the given mode whatever the umask is.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
    if mode & 0o077 != 0 {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    }
    Ok(file)
}

/// Creates a folder and its parents where they are missing, new ones with the given mode, and makes the
/// names durable.
pub fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
    sync_folder(folder_of(path))
}

/// Gives the file at `from` the second name `to`, which must be free. The caller syncs the folder.
pub fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(linkat(AT_FDCWD, from, AT_FDCWD, to, nix::fcntl::AtFlags::empty())?)
}

/// Moves the file at `from` to the name `to`, which must be free, also where the file system cannot rename without
/// replacing: then both names are there for a moment. The caller syncs the folder.
pub fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_new(from, to) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            link_new(from, to)?;
            fs::remove_file(from)
        }
        renamed => renamed,
    }
}

/// Renames without replacing: fails with [`io::ErrorKind::AlreadyExists`] when `to` is taken.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE)?)
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A name in the same folder that nobody else uses: hidden, and ending in `.new`.
fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(folder_of(path).join(format!(".{}.{}.new", name.to_string_lossy(), Uuid::now_v7().simple())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replacing_leaves_one_file_with_the_given_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomic(&path, b"old", 0o644).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["state"]);
    }

    #[test]
    fn a_taken_name_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_new(&path, b"first", 0o600).unwrap();
        let error = write_new(&path, b"second", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let other = folder.path().join("other");
        fs::write(&other, b"third").unwrap();
        assert_eq!(rename_new(&other, &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("folder");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("file"), b"").unwrap();
        assert!(write_atomic(&taken, b"x", 0o600).is_err());
        assert_eq!(names(folder.path()), ["folder"]);
    }

    #[test]
    fn missing_parents_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        create_folder(&deep, 0o700).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
        create_folder(&deep, 0o755).unwrap();
    }
}
