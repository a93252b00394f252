//! Who hands a job out: a lock for each job, held by the process that does.
//!
//! The system frees it when the process ends, however it ends. So a job that is still to be handed out and whose lock is
//! free was interrupted, and whoever gets the lock may go on.
//!
//! A file beside the lock tells its holder that the job has been cancelled: it looks before each host that it sends anything
//! to, which is far too often to ask the store. The store alone says what is true; the file only tells it sooner.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::Error;
use crate::{
    ids::{Digest, OverlordJobId},
    sys::{
        durable,
        lock::{Attempt, open_lock_file, try_exclusive, try_shared},
    },
};

/// A probe holds the lock for a moment; a taker tries so often before it believes that somebody else is at work.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The lock of one job, held until dropped.
#[derive(Debug)]
pub(super) struct JobLock {
    _file: File,
    path: PathBuf,
}

impl JobLock {
    /// Takes the lock of a job, or says who has it.
    pub(super) fn take(folder: &Path, id: &OverlordJobId) -> Result<Self, Error> {
        let path = path_of(folder, id);
        let failed = |source| Error::Lock { path: path.clone(), source };
        durable::create_folder(folder, 0o700).map_err(failed)?;
        for _ in 0..TRIES {
            let mut file = open_lock_file(&path).map_err(failed)?;
            if try_exclusive(&file).map_err(failed)? == Attempt::Busy {
                thread::sleep(PAUSE);
                continue;
            }
            // Whoever held it before may have removed the file that we opened.
            if is_at(&file, &path).map_err(failed)? {
                file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
                return Ok(Self { _file: file, path });
            }
        }
        Err(Error::BeingHandedOut { id: id.clone(), pid: holder(&path) })
    }

    /// Whether nobody holds the lock of a job.
    pub(super) fn is_free(folder: &Path, id: &OverlordJobId) -> bool {
        match File::open(path_of(folder, id)) {
            Ok(file) => !matches!(try_shared(&file), Ok(Attempt::Busy)),
            Err(_) => true,
        }
    }
}

/// Tells whoever hands a job out that it has been cancelled.
pub(super) fn announce_cancel(folder: &Path, id: &OverlordJobId) -> io::Result<()> {
    let path = announcement(&path_of(folder, id));
    if !JobLock::is_free(folder, id) {
        File::create(&path)?;
        // Whoever let go meanwhile did not see it, and so has not removed it.
        if JobLock::is_free(folder, id) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether the holder of a job's lock has been told that the job is cancelled.
pub(super) fn is_cancel_announced(folder: &Path, id: &OverlordJobId) -> bool {
    announcement(&path_of(folder, id)).exists()
}

fn announcement(lock: &Path) -> PathBuf {
    lock.with_extension("cancelled")
}

impl Drop for JobLock {
    /// The file goes while the lock is still held, so that nobody can lock a file without a name and believe it.
    fn drop(&mut self) {
        drop(fs::remove_file(announcement(&self.path)));
        drop(fs::remove_file(&self.path));
    }
}

/// Job ids hold characters that a file name should not, and may be longer than one may be.
fn path_of(folder: &Path, id: &OverlordJobId) -> PathBuf {
    folder.join(format!("{}.lock", Digest::of(id.as_str().as_bytes())))
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let id: OverlordJobId = "*-test-add-7".parse().unwrap();
        assert!(JobLock::is_free(dir.path(), &id));
        let held = JobLock::take(dir.path(), &id).unwrap();
        assert!(!JobLock::is_free(dir.path(), &id));
        let error = JobLock::take(dir.path(), &id).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        JobLock::take(dir.path(), &"*-test-add-8".parse().unwrap()).unwrap();
        announce_cancel(dir.path(), &id).unwrap();
        assert!(is_cancel_announced(dir.path(), &id));
        drop(held);
        assert!(JobLock::is_free(dir.path(), &id));
        announce_cancel(dir.path(), &id).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        JobLock::take(dir.path(), &id).unwrap();
    }
}
