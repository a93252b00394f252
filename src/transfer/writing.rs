//! Bytes on their way to a file, digested on a thread of their own, with another one that waits for the disk.
//!
//! They go through short queues, so none of them holds up another, and no more than the queues is ever in
//! memory. The threads end with the queue: what has come by then is in the file, and stays.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use super::{Coding, Hasher, Sum, coding::Decoder, disk::Disk};

/// As many pieces wait to be digested; hyper's are of up to some hundred kilobytes.
const WAITING: usize = 8;

/// A file that bytes are appended to.
#[derive(Debug)]
pub struct Writing<T> {
    pieces: mpsc::Sender<Bytes>,
    length: Arc<AtomicU64>,
    writer: JoinHandle<T>,
}

/// What there is when the bytes have ended.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub file: File,
    /// How long it is now.
    pub length: u64,
    /// The digest of all of it.
    pub digest: Sum,
}

impl Writing<io::Result<Written>> {
    /// Goes on behind the first `offset` bytes of `file`, up to `end`, and digests all of it by `hasher`. Must be called within a
    /// tokio runtime.
    pub fn start(file: File, (offset, end): (u64, u64), coding: Coding, hasher: Hasher) -> Self {
        let goes_on = move |length| length <= end;
        Self::with(offset, coding, move |queue, length| append(file, hasher, queue, length, goes_on))
    }
}

impl<T: Send + 'static> Writing<T> {
    pub(super) fn with(
        offset: u64,
        coding: Coding,
        work: impl FnOnce(Decoder, &AtomicU64) -> T + Send + 'static,
    ) -> Self {
        let (pieces, queue) = mpsc::channel(WAITING);
        let length = Arc::new(AtomicU64::new(offset));
        let written = Arc::clone(&length);
        Self { pieces, length, writer: spawn_blocking(move || work(Decoder::new(coding, queue), &written)) }
    }

    /// How long the file is by now, with what waits to be written.
    pub fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Takes the next piece. False means that nothing more is taken, for a reason that
    /// [`finish`](Self::finish) tells.
    pub async fn write(&mut self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until everything is written.
    pub async fn finish(self) -> io::Result<T> {
        drop(self.pieces);
        self.writer.await.map_err(io::Error::other)
    }
}

/// Appends what comes, as long as `goes_on` says so, which is asked for every piece with the length that the file would have.
/// `written` begins with the offset.
pub(super) fn append(
    mut file: File,
    mut hasher: Hasher,
    mut queue: Decoder,
    written: &AtomicU64,
    goes_on: impl Fn(u64) -> bool,
) -> io::Result<Written> {
    let offset = written.load(Ordering::Relaxed);
    file.seek(SeekFrom::Start(0))?;
    hasher.read(&mut (&mut file).take(offset), offset)?;
    let mut length = offset;
    thread::scope(|scope| {
        let mut disk = Disk::new(scope, &file, offset);
        while let Some(piece) = queue.next() {
            if !goes_on(length + piece.len() as u64) {
                break;
            }
            disk.take(&piece)?;
            hasher.update(&piece);
            length += piece.len() as u64;
            written.store(length, Ordering::Relaxed);
        }
        disk.finish()
    })?;
    Ok(Written { file, length, digest: hasher.finish() })
}
