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

mod blob;
mod refused;
mod taken;
mod usage;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Coding, ContentRange, Upload};
use crate::sys::durable;
use usage::Usage;

pub use blob::Blob;
pub use refused::Refused;
pub use taken::Taken;
pub use usage::Bounds;

/// How much of a blob is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// So many bytes from its beginning.
    Part(u64),
    /// All of them, and they are what their digest says.
    Whole(u64),
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

/// How long is waited for a writer whose connection is probably gone.
const SETTLING: Duration = Duration::from_secs(1);

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

    /// Waits, but not for long, until nobody writes a blob. What came over a connection that was cut may still be on its
    /// way to the disk; who asks where to go on meanwhile would be told too little, and refused when it goes on there.
    pub async fn settle(&self, blob: &Blob) {
        let settled = async {
            loop {
                let freed = self.inner.freed.notified();
                if !self.inner.writers().contains_key(blob) {
                    return;
                }
                freed.await;
            }
        };
        let _ = tokio::time::timeout(SETTLING, settled).await;
    }

    /// Whether there is room for a blob of this size.
    pub fn has_room(&self, blob: &Blob, total: u64) -> Result<(), Refused> {
        self.sweep()?;
        let usage = Usage::of(&self.inner.folder)?;
        self.room_for(blob, total, usage, &self.inner.writers())
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
        let usage = Usage::of(&self.inner.folder)?;
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
        self.room_for(blob, total, usage, &writers)?;
        let superseded = CancellationToken::new();
        writers.insert(blob.clone(), Writer { total, last: Instant::now(), superseded: superseded.clone() });
        Ok(Some(Turn { inner: Arc::clone(&self.inner), blob: blob.clone(), superseded }))
    }

    /// Whether there is room, with what is promised to the writers.
    fn room_for(
        &self,
        blob: &Blob,
        total: u64,
        mut usage: Usage,
        writers: &BTreeMap<Blob, Writer>,
    ) -> Result<(), Refused> {
        for (blob, writer) in writers {
            usage.promise(blob, writer.total);
        }
        usage.promise(blob, total);
        usage.check(blob, &self.inner.bounds)
    }

    /// Takes a whole blob out of the folder's hands: the file is gone from it when what is returned is
    /// dropped or was renamed. Nothing if it is not here whole.
    pub fn take(&self, blob: &Blob) -> io::Result<Option<Taken>> {
        Taken::out_of(&self.inner.folder, blob)
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

#[cfg(test)]
mod tests;
