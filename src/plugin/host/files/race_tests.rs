//! Somebody swaps a folder and a file for links that lead outside, again and again, while a module uses them: it is
//! let in or denied, and never gets outside.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use super::{super::ErrorKind, change, look, whole::HostFiles, *};
use crate::{access::Grant, plugin::context::Limits};

/// Tries of each way to read, and of each way to change something, which goes to the disk.
const LOOKS: usize = 3000;
const CHANGES: usize = 600;
const SECRET: &[u8] = b"secret";

/// The folder `open`, which is granted, with `way`, a folder or a link to the folder `outside`, and `file`, a file
/// or a link to one in there.
struct Arena {
    folder: tempfile::TempDir,
    access: Access,
}

impl Arena {
    fn new() -> Self {
        // What is written goes to the disk each time, where there is one.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(place.canonicalize().unwrap()).unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["open/way", "outside/sub"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["open/way/x", "open/file"] {
            fs::write(at(name), "inside").unwrap();
        }
        fs::write(at("outside/x"), SECRET).unwrap();
        symlink(at("outside"), at("open/way.link")).unwrap();
        symlink(at("outside/x"), at("open/file.link")).unwrap();
        let granted = at("open").join("**").to_str().unwrap().to_owned();
        let paths = || vec![granted.clone().try_into().unwrap()];
        let grant = Arc::new(Grant { read: paths(), write: paths(), ..Grant::default() });
        let far = Instant::now() + Duration::from_hours(1);
        let access = Access::new("m".parse().unwrap(), None, grant, Limits::default(), Arc::default(), far);
        Self { folder, access }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.at("open").join(name).to_str().unwrap().to_owned()
    }

    /// What is outside: names and contents.
    fn outside(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let entries = fs::read_dir(self.at("outside")).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| (path.clone(), fs::read(&path).ok())).collect()
    }

    /// Does something while both are swapped, often, and on until it was both done and denied.
    fn race(&self, least: usize, mut attempt: impl FnMut() -> Result<(), ErrorKind>) {
        let over = AtomicBool::new(false);
        let before = self.outside();
        thread::scope(|scope| {
            let swapping = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for name in ["open/way", "open/file"] {
                        let (here, link) = (self.at(name), self.at(&format!("{name}.link")));
                        if !here.is_symlink() && !link.is_symlink() {
                            // A write has replaced the link itself, which lay in the grant.
                            fs::remove_file(&link).unwrap();
                            symlink(self.at("outside/x"), &link).unwrap();
                        }
                        renameat2(AT_FDCWD, &here, AT_FDCWD, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
                    }
                }
            });
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let (mut tries, mut done, mut denied) = (0, 0, 0);
                while tries < least || done == 0 || denied == 0 {
                    assert!(!swapping.is_finished(), "nothing is swapped any more");
                    assert!(tries < 1000 * least, "of {tries} tries {done} were done and {denied} denied");
                    tries += 1;
                    match attempt() {
                        Ok(()) => done += 1,
                        Err(ErrorKind::Denied) => denied += 1,
                        Err(_) => {}
                    }
                }
            }));
            over.store(true, Ordering::Relaxed);
            tried.unwrap();
        });
        assert_eq!(self.outside(), before);
    }
}

fn kind<T>(result: Result<T, Error>) -> Result<T, ErrorKind> {
    result.map_err(|error| error.kind)
}

#[test]
fn nothing_outside_is_read_while_links_are_swapped_in() {
    let arena = Arena::new();
    for name in ["way/x", "file"] {
        let path = arena.path(name);
        arena.race(LOOKS, || {
            let read = kind(look::read(&arena.access, &path))?;
            assert_ne!(read, SECRET, "read by way of {name}");
            let part = kind(look::read_part(&arena.access, &path, 0, 10))?;
            assert_ne!(part, SECRET, "read in part by way of {name}");
            Ok(())
        });
    }
    let inode = std::os::unix::fs::MetadataExt::ino;
    let files = HostFiles::new("getfile".parse().unwrap(), (*arena.access.grant).clone());
    let outside = inode(&fs::metadata(arena.at("outside/x")).unwrap());
    let path = arena.path("way/x");
    arena.race(LOOKS, || match files.open(&path) {
        Ok((file, _)) => {
            assert_ne!(inode(&file.metadata().unwrap()), outside, "opened for a caller");
            Ok(())
        }
        Err(error) => Err(if error.kind == "denied" { ErrorKind::Denied } else { ErrorKind::Failed }),
    });
}

#[test]
fn nothing_outside_is_listed_or_told_of_while_links_are_swapped_in() {
    let arena = Arena::new();
    let (way, sub) = (arena.path("way"), arena.path("way/sub"));
    arena.race(LOOKS, || {
        let entries = kind(look::list(&arena.access, &way))?;
        assert!(entries.iter().all(|entry| entry.name != "sub"), "listed");
        Ok(())
    });
    arena.race(LOOKS, || {
        // Only outside there is one; inside its absence may be told.
        assert!(!kind(look::exists(&arena.access, &sub))?);
        Ok(())
    });
    arena.race(LOOKS, || match kind(look::stat_link(&arena.access, &sub)) {
        Ok(_) => panic!("looked at"),
        Err(ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error),
    });
}

#[test]
fn nothing_outside_is_changed_while_links_are_swapped_in() {
    let arena = Arena::new();
    let access = &arena.access;
    for name in ["way/x", "file"] {
        let path = arena.path(name);
        arena.race(CHANGES, || kind(change::write(access, &path, b"inside", None)));
        arena.race(CHANGES, || kind(change::append(access, &path, b"+")));
    }
    let (new, made) = (arena.path("way/new"), arena.path("way/made/below"));
    // What could not be removed again is there when the next try makes it, which is no reason to leave it there.
    arena.race(CHANGES, || match kind(change::create(access, &new, b"inside", None)) {
        Ok(()) | Err(ErrorKind::AlreadyExists) => kind(change::remove(access, &new)),
        Err(error) => Err(error),
    });
    arena.race(CHANGES, || match kind(change::make_dir(access, &made)) {
        Ok(()) | Err(ErrorKind::AlreadyExists) => kind(change::remove(access, &made)),
        Err(error) => Err(error),
    });
    let outside = arena.path("way/sub");
    arena.race(CHANGES, || match kind(change::remove(access, &outside)) {
        Ok(()) => panic!("removed"),
        Err(ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error),
    });
}
