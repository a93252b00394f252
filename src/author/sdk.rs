//! The SDK as a part of this program, so that an author needs no checkout of Func.
//!
//! It is copied into each project rather than into a folder of the user: a project that is cloned elsewhere, or built
//! years later by another `func`, has with it exactly what it was written against.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{error::Error, module_toml, wit_package::HOST};
use crate::sys::durable;

/// Where a project keeps it.
pub(super) const PLACE: &str = "vendor/func-sdk";

/// The versions of what the SDK depends on, as they were tested. Cargo drops from it what a project does not use.
pub(super) const VERSIONS: &str = include_str!("../../plugins/Cargo.lock");

/// Every file of the SDK but the host's WIT, which lies in its folder `wit`.
const FILES: [(&str, &str); 21] = [
    ("Cargo.toml", include_str!("../../plugins/sdk/Cargo.toml")),
    ("macros/Cargo.toml", include_str!("../../plugins/sdk/macros/Cargo.toml")),
    ("macros/src/lib.rs", include_str!("../../plugins/sdk/macros/src/lib.rs")),
    ("src/checked.rs", include_str!("../../plugins/sdk/src/checked.rs")),
    ("src/error.rs", include_str!("../../plugins/sdk/src/error.rs")),
    ("src/file.rs", include_str!("../../plugins/sdk/src/file.rs")),
    ("src/json.rs", include_str!("../../plugins/sdk/src/json.rs")),
    ("src/lib.rs", include_str!("../../plugins/sdk/src/lib.rs")),
    ("src/log.rs", include_str!("../../plugins/sdk/src/log.rs")),
    ("src/mountinfo.rs", include_str!("../../plugins/sdk/src/mountinfo.rs")),
    ("src/panic.rs", include_str!("../../plugins/sdk/src/panic.rs")),
    ("src/pattern.rs", include_str!("../../plugins/sdk/src/pattern.rs")),
    ("src/program.rs", include_str!("../../plugins/sdk/src/program.rs")),
    ("src/rt.rs", include_str!("../../plugins/sdk/src/rt.rs")),
    ("src/secret.rs", include_str!("../../plugins/sdk/src/secret.rs")),
    ("src/sha256.rs", include_str!("../../plugins/sdk/src/sha256.rs")),
    ("src/size.rs", include_str!("../../plugins/sdk/src/size.rs")),
    ("src/table.rs", include_str!("../../plugins/sdk/src/table.rs")),
    ("src/time.rs", include_str!("../../plugins/sdk/src/time.rs")),
    // Formatting a project leaves its copy as it is.
    ("rustfmt.toml", include_str!("../../rustfmt.toml")),
    ("LICENSE", include_str!("../../LICENSE")),
];

/// Writes the SDK into a project, in place of what it had.
pub(super) fn write_sdk(project: &Path) -> Result<(), Error> {
    let folder = project.join(PLACE);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file("remove", folder)(error)),
        _ => {}
    }
    let wit = HOST.iter().map(|(name, text)| (format!("wit/{name}"), *text));
    for (name, text) in FILES.iter().map(|(name, text)| ((*name).to_owned(), *text)).chain(wit) {
        write(&folder.join(name), text)?;
    }
    Ok(())
}

/// Writes what a project in another language than Rust has of the SDK: the host's WIT.
pub(super) fn write_interface(project: &Path) -> Result<(), Error> {
    let folder = project.join(PLACE).join("wit");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file("remove", folder)(error)),
        _ => {}
    }
    HOST.iter().try_for_each(|(name, text)| write(&folder.join(name), text))
}

/// Replaces the SDK of a project that has one. Answers where it is.
pub fn update_sdk(project: &Path) -> Result<PathBuf, Error> {
    let folder = project.join(PLACE);
    if !folder.is_dir() {
        return Err(Error::NoSdk { path: folder });
    }
    if project.join(module_toml::FILE).is_file() {
        write_interface(project)?;
    } else {
        write_sdk(project)?;
    }
    Ok(folder)
}

/// Writes a file and the folders it lies in.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = durable::folder_of(path);
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    fs::write(path, text).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The files below a folder, by their names from there.
    fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                files(&entry.path(), &name, found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn a_project_gets_the_whole_sdk_and_nothing_of_an_older_one() {
        let project = tempfile::tempdir().unwrap();
        write(&project.path().join(PLACE).join("src/gone.rs"), "").unwrap();
        write_sdk(project.path()).unwrap();
        let (mut here, mut there) = (BTreeSet::new(), BTreeSet::new());
        files(&project.path().join(PLACE), "", &mut there);
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/sdk"), "", &mut here);
        here.extend(["rustfmt.toml", "LICENSE"].map(str::to_owned));
        assert_eq!(there, here);
    }
}
