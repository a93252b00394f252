//! The folder in which arriving blobs are staged.
//!
//! ```text
//! nothing ──first byte──▶ part ──last byte, digest right──▶ whole ──taken──▶ gone
//!                           │  └──digest wrong──▶ gone
//!                           └──unused for so long──▶ gone
//! ```
//!
//! The files are the truth: `DIGEST-CALLER.part` and `DIGEST-CALLER.whole`, the caller as a digest of its
//! name. What is in memory is who writes at the moment. A part has one writer; the next one waits for it,
//! and takes its place when it has been silent for a while: a connection that was cut may look alive here
//! for minutes.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Coding, ContentRange, Upload};
use crate::{ids::Digest, sys::durable};

/// How much a minion takes in.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Transfers at a time.
    pub at_once: usize,
    /// Bytes that one caller may have staged.
    pub per_caller: u64,
    /// Bytes of all callers together.
    pub in_all: u64,
    /// How long what nobody uses is kept.
    pub keep: Duration,
    /// After so long without a byte a writer gives way to another.
    pub stall: Duration,
    /// How long the next writer waits for the one before it.
    pub patience: Duration,
}

/// A blob of one caller's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    /// What it is.
    pub digest: Digest,
    /// Whose it is, as a digest of the name.
    caller: String,
}

impl Blob {
    /// The blob of this digest that `caller` sends.
    pub fn new(digest: Digest, caller: &str) -> Self {
        let mut caller = Digest::of(caller.as_bytes()).to_string();
        caller.truncate(32);
        Self { digest, caller }
    }

    fn file(&self, folder: &Path, suffix: &str) -> PathBuf {
        folder.join(format!("{}-{}.{suffix}", self.digest, self.caller))
    }

    pub(super) fn part(&self, folder: &Path) -> PathBuf {
        self.file(folder, "part")
    }

    pub(super) fn whole(&self, folder: &Path) -> PathBuf {
        self.file(folder, "whole")
    }
}

/// How much of a blob is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// So many bytes from its beginning.
    Part(u64),
    /// All of them, and they are what their digest says.
    Whole(u64),
}

/// Why bytes are not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// They do not begin where the others end.
    #[error("go on at the offset {offset}")]
    Offset {
        /// Where to begin.
        offset: u64,
    },
    /// There is more or less of it than was said.
    #[error("the body is not of the length that its range says")]
    Length,
    /// The whole is something else than was said.
    #[error("the bytes are not those of the digest; all of them were dropped, so send them again")]
    Mismatch,
    /// One caller has too much here.
    #[error("you would have {wanted} bytes staged on this minion, and {most} are allowed")]
    TooMuch {
        /// With these.
        wanted: u64,
        /// The bound.
        most: u64,
    },
    /// All callers together have too much here.
    #[error("the minion has no room for so much now; what nobody uses goes away by itself")]
    NoRoom,
    /// As many transfers are under way as can be.
    #[error("as many transfers are under way as the minion takes at a time; try again later")]
    Busy,
    /// Somebody else sends the same now, for the same caller.
    #[error("another connection has taken over this transfer")]
    Superseded,
    /// The disk does not take them.
    #[error("the minion cannot write what arrives")]
    Write(#[from] io::Error),
}

/// What a writer is told first.
#[derive(Debug)]
pub enum Begun {
    /// Everything is here already.
    Whole(u64),
    /// Bytes are taken.
    Writing(Upload),
}

/// The folder, shared by all connections.
#[derive(Debug, Clone)]
pub struct Staging {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folder: PathBuf,
    bounds: Bounds,
    /// Locked for a moment at a time, never across an await.
    writers: Mutex<BTreeMap<Blob, Writer>>,
    freed: Notify,
}

/// Who writes a blob at the moment.
#[derive(Debug)]
struct Writer {
    total: u64,
    last: Instant,
    superseded: CancellationToken,
}

/// The right to write a blob, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) inner: Arc<Inner>,
    pub(super) blob: Blob,
    pub(super) superseded: CancellationToken,
}

impl Turn {
    /// A byte has come.
    pub(super) fn alive(&self) {
        if let Some(writer) = self.inner.writers().get_mut(&self.blob) {
            writer.last = Instant::now();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.writers().remove(&self.blob);
        self.inner.freed.notify_waiters();
    }
}

impl Inner {
    fn writers(&self) -> MutexGuard<'_, BTreeMap<Blob, Writer>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Staging {
    /// Uses `folder`, which is made if it is missing and is nobody else's.
    pub fn open(folder: &Path, bounds: Bounds) -> io::Result<Self> {
        durable::create_folder(folder, 0o700)?;
        let inner = Inner { folder: folder.to_owned(), bounds, writers: Mutex::default(), freed: Notify::new() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How much of a blob is here.
    pub fn staged(&self, blob: &Blob) -> io::Result<Staged> {
        let length = |path: PathBuf| match fs::metadata(path) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        if let Some(length) = length(blob.whole(&self.inner.folder))? {
            return Ok(Staged::Whole(length));
        }
        Ok(Staged::Part(length(blob.part(&self.inner.folder))?.unwrap_or(0)))
    }

    /// Whether there is room for a blob of this size.
    pub fn has_room(&self, blob: &Blob, total: u64) -> Result<(), Refused> {
        self.sweep()?;
        let usage = self.usage()?;
        self.room_for(blob, total, &usage, &self.inner.writers())
    }

    /// Waits for its turn, and makes ready to write.
    pub async fn begin(&self, blob: Blob, range: ContentRange, coding: Coding) -> Result<Begun, Refused> {
        let until = Instant::now() + self.inner.bounds.patience;
        let turn = loop {
            let freed = self.inner.freed.notified();
            if let Staged::Whole(length) = self.staged(&blob)? {
                return Ok(Begun::Whole(length));
            }
            if let Some(turn) = self.take_turn(&blob, range.total)? {
                break turn;
            }
            if Instant::now() >= until {
                return Err(Refused::Busy);
            }
            // Nobody says when a writer falls silent.
            let _ = tokio::time::timeout(self.inner.bounds.stall / 4, freed).await;
        };
        let offset = match self.staged(&blob)? {
            Staged::Whole(length) => return Ok(Begun::Whole(length)),
            Staged::Part(offset) => offset,
        };
        if offset != range.first {
            return Err(Refused::Offset { offset });
        }
        let path = blob.part(&self.inner.folder);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        Ok(Begun::Writing(Upload::start(turn, file, range, coding)))
    }

    fn take_turn(&self, blob: &Blob, total: u64) -> Result<Option<Turn>, Refused> {
        let usage = self.usage()?;
        let mut writers = self.inner.writers();
        if let Some(writer) = writers.get(blob) {
            if writer.last.elapsed() > self.inner.bounds.stall {
                writer.superseded.cancel();
            }
            return Ok(None);
        }
        if writers.len() >= self.inner.bounds.at_once {
            return Err(Refused::Busy);
        }
        self.room_for(blob, total, &usage, &writers)?;
        let superseded = CancellationToken::new();
        writers.insert(blob.clone(), Writer { total, last: Instant::now(), superseded: superseded.clone() });
        Ok(Some(Turn { inner: Arc::clone(&self.inner), blob: blob.clone(), superseded }))
    }

    fn room_for(
        &self,
        blob: &Blob,
        total: u64,
        usage: &BTreeMap<String, (String, u64)>,
        writers: &BTreeMap<Blob, Writer>,
    ) -> Result<(), Refused> {
        let Bounds { per_caller, in_all, .. } = self.inner.bounds;
        // What is promised counts as if it were here.
        let mut all: BTreeMap<String, (String, u64)> = usage.clone();
        let promised = writers.iter().map(|(blob, writer)| (blob, writer.total)).chain([(blob, total)]);
        for (blob, total) in promised {
            let entry = all.entry(blob.digest.to_string() + &blob.caller).or_insert((blob.caller.clone(), 0));
            entry.1 = entry.1.max(total);
        }
        let sum = |caller: Option<&str>| -> u64 {
            let of = all.values().filter(|(owner, _)| caller.is_none_or(|caller| owner == caller));
            of.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
        };
        let wanted = sum(Some(&blob.caller));
        if wanted > per_caller {
            return Err(Refused::TooMuch { wanted, most: per_caller });
        }
        if sum(None) > in_all { Err(Refused::NoRoom) } else { Ok(()) }
    }

    /// Every file: digest and caller, the caller, its bytes.
    fn usage(&self) -> io::Result<BTreeMap<String, (String, u64)>> {
        let mut usage = BTreeMap::new();
        for entry in fs::read_dir(&self.inner.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.split('.').next().unwrap_or_default();
            let (digest, caller) = stem.split_once('-').unwrap_or_default();
            // A file that goes away now takes no room.
            let bytes = entry.metadata().map_or(0, |meta| meta.len());
            usage.insert(format!("{digest}{caller}"), (caller.to_owned(), bytes));
        }
        Ok(usage)
    }

    /// Takes a whole blob out of the folder's hands: the file is gone from it when what is returned is
    /// dropped or was renamed. Nothing if it is not here whole.
    pub fn take(&self, blob: &Blob) -> io::Result<Option<Taken>> {
        let path = blob.whole(&self.inner.folder);
        // Of two who want it one gets it.
        let mine = self.inner.folder.join(format!("{}.taken", uuid::Uuid::now_v7().simple()));
        match fs::rename(&path, &mine) {
            Ok(()) => Ok(Some(Taken { file: File::open(&mine)?, path: mine, back: path })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes what nobody has touched for long enough. Returns how many files went.
    pub fn sweep(&self) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.inner.folder)? {
            let entry = entry?;
            let modified = entry.metadata().and_then(|meta| meta.modified());
            let idle = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or_default();
            let writers = self.inner.writers();
            let busy = writers.keys().any(|blob| blob.part(&self.inner.folder) == entry.path());
            if idle > self.inner.bounds.keep && !busy && fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// A whole blob that belongs to whoever holds this.
#[derive(Debug)]
pub struct Taken {
    /// The file, open for reading.
    pub file: File,
    /// Where it is; rename it away, or it is removed.
    pub path: PathBuf,
    back: PathBuf,
}

impl Taken {
    /// Leaves it staged after all, for another attempt.
    pub fn put_back(self) {
        let _ = fs::rename(&self.path, &self.back);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn staging(folder: &Path, stall: Duration) -> Staging {
        let bounds = Bounds {
            at_once: 4,
            per_caller: 100,
            in_all: 150,
            keep: Duration::from_hours(1),
            stall,
            patience: Duration::from_secs(20),
        };
        Staging::open(folder, bounds).unwrap()
    }

    async fn writing(staging: &Staging, blob: &Blob, range: ContentRange) -> Upload {
        match staging.begin(blob.clone(), range, Coding::Plain).await.unwrap() {
            Begun::Writing(upload) => upload,
            Begun::Whole(_) => panic!("it is whole already"),
        }
    }

    #[tokio::test]
    async fn a_part_goes_on_where_it_ends_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let staging = staging(folder.path(), Duration::from_secs(5));
        let blob = Blob::new(Digest::of(b"hello you"), "boss");
        let mut upload = writing(&staging, &blob, ContentRange { first: 0, end: 9, total: 9 }).await;
        assert!(upload.write(Bytes::from_static(b"hello")).await);
        assert_eq!(upload.finish(false).await.unwrap(), Staged::Part(5));
        for first in [0, 4, 6] {
            let refused = staging.begin(blob.clone(), ContentRange::rest(first, 9), Coding::Plain).await.unwrap_err();
            assert!(matches!(refused, Refused::Offset { offset: 5 }), "{refused}");
        }
        assert!(staging.take(&blob).unwrap().is_none(), "a part is nothing yet");
        let mut upload = writing(&staging, &blob, ContentRange::rest(5, 9)).await;
        assert!(upload.write(Bytes::from_static(b" you")).await);
        assert!(!upload.write(Bytes::from_static(b"!")).await, "more than was said");
        assert_eq!(upload.finish(true).await.unwrap(), Staged::Whole(9));
        let taken = staging.take(&blob).unwrap().unwrap();
        assert!(staging.take(&blob).unwrap().is_none(), "one gets it");
        drop(taken);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn no_more_comes_out_of_what_is_compressed_than_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let staging = staging(folder.path(), Duration::from_secs(5));
        let blob = Blob::new(Digest::of(&[0; 99]), "boss");
        for (length, staged) in [(1 << 20, None), (99, Some(Staged::Whole(99)))] {
            let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
            io::Write::write_all(&mut frame, &vec![0; length]).unwrap();
            let frame = Bytes::from(frame.finish().unwrap());
            let begun = staging.begin(blob.clone(), ContentRange::rest(0, 99), Coding::Lz4).await.unwrap();
            let Begun::Writing(mut upload) = begun else { panic!("it is whole already") };
            upload.write(frame).await;
            let ended = upload.finish(true).await;
            match staged {
                Some(staged) => assert_eq!(ended.unwrap(), staged),
                None => assert!(matches!(ended, Err(Refused::Length)), "{ended:?}"),
            }
            assert!(staging.usage().unwrap().values().all(|(_, bytes)| *bytes <= 99));
        }
    }

    #[tokio::test]
    async fn a_silent_writer_gives_way_and_a_busy_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let staging = staging(folder.path(), Duration::from_millis(50));
        let blob = Blob::new(Digest::of(b"ab"), "boss");
        let mut first = writing(&staging, &blob, ContentRange::rest(0, 2)).await;
        assert!(first.write(Bytes::from_static(b"a")).await);
        let superseded = first.superseded();
        let (again, ended) =
            tokio::join!(staging.begin(blob.clone(), ContentRange::rest(1, 2), Coding::Plain), async {
                superseded.cancelled().await;
                first.finish(false).await
            });
        assert!(matches!(ended, Err(Refused::Superseded)), "{ended:?}");
        let Ok(Begun::Writing(mut second)) = again else { panic!("{again:?}") };
        assert!(second.write(Bytes::from_static(b"b")).await);
        assert_eq!(second.finish(true).await.unwrap(), Staged::Whole(2));
    }

    #[tokio::test]
    async fn what_is_promised_counts_and_what_nobody_wants_goes() {
        let folder = tempfile::tempdir().unwrap();
        let staging = staging(folder.path(), Duration::from_secs(5));
        let blob = |bytes: &[u8], caller: &str| Blob::new(Digest::of(bytes), caller);
        let begun = writing(&staging, &blob(b"1", "boss"), ContentRange::rest(0, 60)).await;
        let refused = staging.has_room(&blob(b"2", "boss"), 60).unwrap_err();
        assert!(matches!(refused, Refused::TooMuch { wanted: 120, most: 100 }), "{refused}");
        assert!(matches!(staging.has_room(&blob(b"2", "other"), 95), Err(Refused::NoRoom)));
        staging.has_room(&blob(b"2", "other"), 90).unwrap();
        drop(begun);
        let old = blob(b"3", "boss").part(folder.path());
        fs::write(&old, "x").unwrap();
        let long_ago = SystemTime::now() - Duration::from_hours(2);
        File::options().append(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(staging.sweep().unwrap(), 1);
        assert!(!old.exists());
    }
}
