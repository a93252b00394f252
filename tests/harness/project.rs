//! The project that `func module new hello` makes, once for all tests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::modules::shipped_modules;

/// The project's folder, `hello`. It is written anew only when it would differ, so that cargo knows what it has built.
pub fn project() -> &'static Path {
    static PROJECT: LazyLock<PathBuf> = LazyLock::new(|| {
        // Shares its dependencies with the shipped modules, so that they are compiled once.
        shipped_modules();
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("project");
        fs::create_dir_all(home.join(".cargo")).unwrap();
        let lock = File::create(home.join(".lock")).unwrap();
        lock.lock().unwrap();
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/target");
        fs::write(home.join(".cargo/config.toml"), format!("[build]\ntarget-dir = \"{}\"\n", shared.display()))
            .unwrap();
        let fresh = tempfile::tempdir_in(&home).unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_func"))
            .args(["module", "new", "hello"])
            .current_dir(fresh.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (fresh, kept) = (fresh.path().join("hello"), home.join("hello"));
        if files(&fresh) != files(&kept) {
            let _ = fs::remove_dir_all(&kept);
            fs::rename(fresh, &kept).unwrap();
        }
        kept
    });
    &PROJECT
}

/// What was generated, by name: not what cargo makes of it, nor the lock file, which cargo completes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(folder: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if name == Path::new("target") || name == Path::new("Cargo.lock") {
                continue;
            }
            if path.is_dir() {
                collect(&path, root, found);
            } else {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(folder, folder, &mut found);
    found
}
