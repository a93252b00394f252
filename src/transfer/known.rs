//! Digests of files that were offered, so that nobody waits for one twice: a fetch that was cut off, and the next one of the same
//! file, go on at once.
//!
//! A digest counts for as long as the file has the same size and times. They tell two changes within one tick of the clock not
//! apart, so a file that was just changed is digested each time; and a mapped file may change before its times do, so a digest
//! is forgotten after a while.
//!
//! A [`TrailingDigest`] is made while the bytes go out, so that nobody waits for it before. It counts if the file is then what it
//! was at the beginning; one that looks changed, or was changed just before, is read again: what was only appended to is fine.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{Hasher, Sum, digest_of};
use crate::ids::Digest;

/// As many are known at a time.
const MOST: usize = 1024;
/// After so long one is forgotten.
const KEPT: Duration = Duration::from_mins(10);
/// A file that was changed within so long may be changed again without a trace, where times are of whole seconds.
const FRESH: Duration = Duration::from_secs(2);
/// And where they are finer: a few ticks of a kernel's clock.
const FRESH_IN_TICKS: Duration = Duration::from_millis(100);

/// What is known.
#[derive(Debug, Default)]
pub struct Known {
    /// What files are named by.
    digests: Kept<Digest>,
    /// What was told behind the bytes.
    sums: Kept<Sum>,
}

/// What is known of files. The lock is held for a moment at a time.
#[derive(Debug)]
struct Kept<T>(Mutex<BTreeMap<Mark, (T, Instant)>>);

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
        let fresh = if self.modified.1 == 0 || self.changed.1 == 0 { FRESH } else { FRESH_IN_TICKS };
        let then = SystemTime::now().checked_sub(fresh).and_then(|then| then.duration_since(UNIX_EPOCH).ok());
        let then = then.and_then(|then| Some((i64::try_from(then.as_secs()).ok()?, i64::from(then.subsec_nanos()))));
        then.is_some_and(|then| self.modified < then && self.changed < then)
    }

    /// A name for the file as it is, which tells nothing else.
    fn version(&self) -> Digest {
        let times = [self.modified.0, self.modified.1, self.changed.0, self.changed.1].map(i64::to_be_bytes);
        let place = [self.device, self.inode, self.size].map(u64::to_be_bytes);
        Digest::of(&[place.concat(), times.concat()].concat())
    }
}

/// A name for a file as it is now: after any change it is another. And its size.
pub fn version_of(file: &File) -> io::Result<(Digest, u64)> {
    let mark = Mark::of(file)?;
    Ok((mark.version(), mark.size))
}

/// The digest of a file up to an end, made while its bytes go out.
#[derive(Debug)]
pub struct TrailingDigest {
    known: Arc<Known>,
    mark: Mark,
    is_settled: bool,
    /// It was known before.
    found: Option<Sum>,
    hasher: Hasher,
}

impl TrailingDigest {
    /// Of a file of which the bytes up to `first` went out before.
    pub(super) fn start(known: &Arc<Known>, file: &File, first: u64, end: u64) -> io::Result<Self> {
        let mark = Mark::of(file)?;
        let found = known.sums.of(&mark).filter(|_| mark.size == end);
        let mut hasher = Hasher::blake3();
        if found.is_none() {
            hasher.read_at(file, 0..first)?;
        }
        Ok(Self { known: Arc::clone(known), is_settled: mark.is_settled(), mark, found, hasher })
    }

    /// These went out.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if self.found.is_none() {
            self.hasher.update(bytes);
        }
    }

    /// The digest of everything up to `end`; none if the file has become another meanwhile.
    pub(super) fn finish(self, file: &File, end: u64) -> io::Result<Option<Sum>> {
        if self.found.is_some() {
            return Ok(self.found);
        }
        let digest = self.hasher.finish();
        if self.is_settled && Mark::of(file)? == self.mark {
            if end == self.mark.size {
                self.known.sums.keep(self.mark, digest);
            }
            return Ok(Some(digest));
        }
        let mut again = Hasher::blake3();
        match again.read_at(file, 0..end) {
            Ok(()) => Ok(Some(digest).filter(|digest| *digest == again.finish())),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Known {
    /// The SHA-256 digest of a file and its size: of now, or as it was digested before and is still.
    pub fn digest_of(&self, mut file: &File) -> io::Result<(Digest, u64)> {
        let mark = Mark::of(file)?;
        if let Some(digest) = self.digests.of(&mark) {
            return Ok((digest, mark.size));
        }
        // What became of it meanwhile is another mark.
        let is_settled = mark.is_settled();
        let (digest, size) = digest_of(&mut file)?;
        if is_settled && size == mark.size && Mark::of(file)? == mark {
            self.digests.keep(mark, digest);
        }
        Ok((digest, size))
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Copy> Kept<T> {
    fn of(&self, mark: &Mark) -> Option<T> {
        self.all().get(mark).map(|(known, _)| *known)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Mark, (T, Instant)>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, since)| since.elapsed() < KEPT);
        known
    }

    fn keep(&self, mark: Mark, what: T) {
        let mut known = self.all();
        if known.len() >= MOST
            && let Some(oldest) = known.iter().min_by_key(|(_, (_, since))| *since).map(|(mark, _)| *mark)
        {
            known.remove(&oldest);
        }
        known.insert(mark, (what, Instant::now()));
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
        assert!(known.digests.all().is_empty());
        assert!(settled(&file).is_settled());
    }

    #[test]
    fn a_digest_that_is_made_while_bytes_go_out_is_that_of_a_file_that_stayed() {
        let (known, mut file) = (Arc::new(Known::default()), tempfile::tempfile().unwrap());
        file.write_all(b"hello you").unwrap();
        let of = |file: &File, change: &dyn Fn()| {
            let mut digest = TrailingDigest::start(&known, file, 6, 9).unwrap();
            digest.update(b"you");
            change();
            digest.finish(file, 9).unwrap()
        };
        let whole = Some(Sum::Blake3(blake3::hash(b"hello you")));
        assert_eq!(of(&file, &|| {}), whole, "a fresh file is read again");
        assert!(known.sums.all().is_empty());
        let append = || std::os::unix::fs::FileExt::write_all_at(&file, b"!", 9).unwrap();
        assert_eq!(of(&file, &append), whole, "a log goes on");
        let change = || std::os::unix::fs::FileExt::write_all_at(&file, b"H", 0).unwrap();
        assert_eq!(of(&file, &change), None);
        assert_eq!(of(&file, &|| file.set_len(3).unwrap()), None);

        let mark = settled(&file);
        let digest = TrailingDigest {
            mark,
            is_settled: true,
            found: whole,
            ..TrailingDigest::start(&known, &file, 0, 3).unwrap()
        };
        assert_eq!(digest.finish(&file, 3).unwrap(), whole, "what is known is not made again");
        assert_ne!(version_of(&file).unwrap().0, mark.version());
    }

    #[test]
    fn a_known_digest_is_told_until_the_file_is_another() {
        let (known, mut file) = (Known::default(), tempfile::tempfile().unwrap());
        file.write_all(b"a").unwrap();
        let mark = Mark::of(&file).unwrap();
        let other = Digest::of(b"another, to tell the two apart");
        known.digests.keep(mark, other);
        assert_eq!(known.digest_of(&file).unwrap(), (other, 1));
        file.write_all(b"b").unwrap();
        let mut again = tempfile::tempfile().unwrap();
        again.write_all(b"ab").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        assert_eq!(known.digest_of(&file).unwrap(), (Digest::of(b"ab"), 2));
        for number in 0..MOST as u64 {
            known.digests.keep(Mark { inode: number, device: 0, ..mark }, other);
        }
        assert_eq!(known.digests.all().len(), MOST);
        assert!(known.digests.of(&mark).is_none());
    }
}
