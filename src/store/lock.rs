//! One process at a time, in turn.
//!
//! sled takes a lock of its own, but a second opener fails at once, and of several that retry some starve. So
//! `store.lock` stands before it: a blocking `flock`, which the kernel hands on in turn (polling for it would starve whoever
//! sleeps when it is free). It is given up only once sled's
//! lock is free again, because sled lets go of its file a moment after the database is dropped.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::Error;
use crate::sys::lock::open_lock_file;

/// How long an opener waits for the others.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The store's lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store in `dir`, waiting up to `patience`.
    pub(super) fn take(dir: &Path, patience: Duration) -> Result<Self, Error> {
        let path = dir.join("store.lock");
        let mut file = open_lock_file(&path).map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => file = wait(file, &path, dir, patience)?,
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        sign(&mut file).map_err(Error::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Waits in the kernel's queue, on a thread that outlives our patience if it must: a lock that it gets too late is given
/// back at once.
fn wait(file: File, path: &Path, dir: &Path, patience: Duration) -> Result<File, Error> {
    let (sender, receiver) = mpsc::channel();
    let reader = file.try_clone().map_err(Error::io("read", path))?;
    let waiter = thread::Builder::new().name("store-lock".into());
    waiter
        .spawn(move || {
            let locked = file.lock();
            drop(sender.send(locked.map(|()| file)));
        })
        .map_err(Error::io("wait for", path))?;
    match receiver.recv_timeout(patience) {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => Err(Error::io("lock", path)(error)),
        Err(_) => Err(Error::Busy { path: dir.to_owned(), holder: holder(reader), waited: patience }),
    }
}

/// Writes our process id into the lock file, for the error of whoever waits in vain.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    write!(file, "{}", std::process::id())
}

fn holder(mut file: File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Waits until nobody holds the lock on sled's file `db`; a file that is not there is free.
pub(super) fn wait_until_free(db: &Path, patience: Duration) -> Result<(), Error> {
    let Ok(file) = File::open(db) else { return Ok(()) };
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if start.elapsed() < patience => thread::sleep(Duration::from_millis(1)),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy { path: db.to_owned(), holder: None, waited: patience });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", db)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_in_vain_is_told_who_holds_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let held = Lock::take(dir.path(), PATIENCE).unwrap();
        let error = Lock::take(dir.path(), Duration::from_millis(30)).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        Lock::take(dir.path(), PATIENCE).unwrap();
    }

    #[test]
    fn a_lock_is_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let held = Lock::take(dir.path(), PATIENCE).unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| Lock::take(dir.path(), PATIENCE).map(drop))).collect();
            drop(held);
            for waiter in waiters {
                waiter.join().unwrap().unwrap();
            }
        });
    }
}
