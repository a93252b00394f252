//! Digests of files that were offered, so that nobody waits for one twice: a fetch that was cut off, and the next one of the same
//! file, go on at once.
//!
//! A digest counts for as long as the file has the same size and times. They tell two changes within one tick of the clock not
//! apart, so a file that was just changed is digested each time; and a mapped file may change before its times do, so a digest
//! is forgotten after a while.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::digest_of;
use crate::ids::Digest;

/// As many are known at a time.
const MOST: usize = 1024;
/// After so long one is forgotten.
const KEPT: Duration = Duration::from_mins(10);
/// A file that was changed within so long may be changed again without a trace.
const FRESH: Duration = Duration::from_secs(2);

/// What is known. The lock is held for a moment at a time.
#[derive(Debug, Default)]
pub struct Known(Mutex<BTreeMap<Mark, (Digest, Instant)>>);

/// A file at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// Whether a change from now on would make another mark of it.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().checked_sub(FRESH).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
        let then = now.and_then(|then| i64::try_from(then.as_secs()).ok());
        then.is_some_and(|then| self.modified.0 < then && self.changed.0 < then)
    }
}

impl Known {
    /// The digest of a file and its size: of now, or as it was digested before and is still.
    pub fn digest_of(&self, mut file: &File) -> io::Result<(Digest, u64)> {
        let mark = Mark::of(file)?;
        if let Some((digest, _)) = self.kept().get(&mark) {
            return Ok((*digest, mark.size));
        }
        // What became of it meanwhile is another mark.
        let is_settled = mark.is_settled();
        let (digest, size) = digest_of(&mut file)?;
        if is_settled && size == mark.size && Mark::of(file)? == mark {
            self.keep(mark, digest);
        }
        Ok((digest, size))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Mark, (Digest, Instant)>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| since.elapsed() < KEPT);
        known
    }

    fn keep(&self, mark: Mark, digest: Digest) {
        let mut known = self.kept();
        if known.len() >= MOST
            && let Some(oldest) = known.iter().min_by_key(|(_, (_, since))| *since).map(|(mark, _)| *mark)
        {
            known.remove(&oldest);
        }
        known.insert(mark, (digest, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::FileTimes, io::Write as _};

    use super::*;

    fn old() -> FileTimes {
        FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
    }

    /// A mark as it would be of a file that was changed long ago.
    fn settled(file: &File) -> Mark {
        let mark = Mark::of(file).unwrap();
        Mark { changed: (1_000_000_000, 0), modified: (1_000_000_000, 0), ..mark }
    }

    #[test]
    fn a_file_that_was_just_changed_is_digested_each_time() {
        let (known, mut file) = (Known::default(), tempfile::tempfile().unwrap());
        file.write_all(b"a").unwrap();
        file.set_times(old()).unwrap();
        assert!(!Mark::of(&file).unwrap().is_settled(), "its inode was changed just now");
        known.digest_of(&file).unwrap();
        assert!(known.kept().is_empty());
        assert!(settled(&file).is_settled());
    }

    #[test]
    fn a_known_digest_is_told_until_the_file_is_another() {
        let (known, mut file) = (Known::default(), tempfile::tempfile().unwrap());
        file.write_all(b"a").unwrap();
        let mark = Mark::of(&file).unwrap();
        let other = Digest::of(b"another, to tell the two apart");
        known.keep(mark, other);
        assert_eq!(known.digest_of(&file).unwrap(), (other, 1));
        file.write_all(b"b").unwrap();
        let mut again = tempfile::tempfile().unwrap();
        again.write_all(b"ab").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        assert_eq!(known.digest_of(&file).unwrap(), (Digest::of(b"ab"), 2));
        for number in 0..MOST as u64 {
            known.keep(Mark { inode: number, device: 0, ..mark }, other);
        }
        assert_eq!(known.kept().len(), MOST);
        assert!(!known.kept().contains_key(&mark));
    }
}
