//! Bytes on their way to a file, written on a thread that may wait for the disk, and digested on another one beside it.
//!
//! They go through a short queue, so neither side holds up the other, and no more than the queue is ever in
//! memory. The thread ends with the queue: what it has written by then stays.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, Scope, ScopedJoinHandle},
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use super::{Coding, Hasher, coding::Decoder};
use crate::ids::Digest;

/// As many pieces wait for the disk; hyper's are of up to some hundred kilobytes.
const WAITING: usize = 8;

/// So many pieces wait to be digested.
const UNDIGESTED: usize = 8;

/// What has more bytes is worth a thread that digests.
const LARGE: u64 = 1 << 20;

/// After so many bytes the disk is set to work, so that little is left to wait for at the end.
const FLUSHED: usize = 32 << 20;

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
    pub digest: Digest,
}

impl Writing<io::Result<Written>> {
    /// Goes on behind the first `offset` bytes of `file`, up to `end`. Must be called within a tokio runtime.
    pub fn start(file: File, offset: u64, end: u64, coding: Coding) -> Self {
        Self::with(offset, coding, move |queue, length| append(file, queue, length, |length| length <= end))
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

    /// How long the file is by now.
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
    mut queue: Decoder,
    written: &AtomicU64,
    goes_on: impl Fn(u64) -> bool,
) -> io::Result<Written> {
    let offset = written.load(Ordering::Relaxed);
    let mut hasher = Hasher::new();
    file.seek(SeekFrom::Start(0))?;
    hasher.read(&mut (&mut file).take(offset), offset)?;
    let mut length = offset;
    let digest = thread::scope(|scope| {
        let (mut flush, mut dirty) = (None, 0);
        let mut digesting = Digesting::Here(hasher);
        while let Some(piece) = queue.next() {
            if !goes_on(length + piece.len() as u64) {
                break;
            }
            if let Err(error) = (&file).write_all(&piece) {
                // What a full disk took of a piece is no piece.
                let _ = file.set_len(length);
                return Err(error);
            }
            length += piece.len() as u64;
            written.store(length, Ordering::Relaxed);
            dirty += piece.len();
            digesting = digesting.go_on(scope, piece, length - offset);
            if dirty >= FLUSHED {
                let flush = flush.get_or_insert_with(|| flusher(scope, &file));
                // One that is still at it takes this with it, or the next one does.
                let _ = flush.try_send(());
                dirty = 0;
            }
        }
        digesting.finish()
    })?;
    Ok(Written { file, length, digest })
}

/// Where a digest is made: what is small is not worth a thread.
enum Digesting<'scope> {
    Here(Hasher),
    Beside(SyncSender<Bytes>, ScopedJoinHandle<'scope, Digest>),
}

impl<'scope> Digesting<'scope> {
    /// Takes the next piece, with which so many bytes have come.
    fn go_on(self, scope: &'scope Scope<'scope, '_>, piece: Bytes, came: u64) -> Self {
        match self {
            Self::Here(mut hasher) if came < LARGE => {
                hasher.update(&piece);
                Self::Here(hasher)
            }
            Self::Here(mut hasher) => {
                let (pieces, queue) = sync_channel::<Bytes>(UNDIGESTED);
                let thread = scope.spawn(move || {
                    for piece in queue {
                        hasher.update(&piece);
                    }
                    hasher.finish()
                });
                Self::Beside(pieces, thread).go_on(scope, piece, came)
            }
            Self::Beside(pieces, thread) => {
                // It ends after us; if it does not, `finish` tells.
                let _ = pieces.send(piece);
                Self::Beside(pieces, thread)
            }
        }
    }

    fn finish(self) -> io::Result<Digest> {
        match self {
            Self::Here(hasher) => Ok(hasher.finish()),
            Self::Beside(pieces, thread) => {
                drop(pieces);
                thread.join().map_err(|_| io::Error::other("the thread that digests failed"))
            }
        }
    }
}

/// A thread that has written bytes taken to the disk while more come. A failure is told to whoever syncs the
/// file at the end.
fn flusher<'scope>(scope: &'scope Scope<'scope, '_>, file: &'scope File) -> SyncSender<()> {
    let (flush, asked) = sync_channel(1);
    scope.spawn(move || asked.iter().for_each(|()| drop(file.sync_data())));
    flush
}
