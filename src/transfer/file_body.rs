//! A part of a file as an HTTP body, read a few pieces ahead on a thread that may wait for the disk.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// One read.
const PIECE: usize = 256 << 10;
/// As many pieces wait for the network.
const AHEAD: usize = 4;

/// The bytes from one offset of a file to another.
#[derive(Debug)]
pub struct FileBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    taken: Arc<AtomicU64>,
    /// One of the bodies that there may be at a time.
    _place: Option<OwnedSemaphorePermit>,
}

impl FileBody {
    /// The bytes of `file` from `first` up to `end`. A file that turns out to be shorter breaks the body off.
    /// Must be called within a tokio runtime.
    pub fn new(file: Arc<File>, first: u64, end: u64) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || read(&file, first, end, &sender));
        Self { pieces, left: end.saturating_sub(first), taken: Arc::default(), _place: None }
    }

    /// Holds a place until it is gone.
    #[must_use]
    pub fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    /// How many bytes the network has taken so far, also after the body is gone.
    pub fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }
}

fn read(file: &File, first: u64, end: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut at = first;
    while at < end {
        let mut piece = vec![0; usize::try_from(end - at).unwrap_or(PIECE).min(PIECE)];
        let read = match file.read_at(&mut piece, at) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                piece.truncate(count);
                at += count as u64;
                Ok(Bytes::from(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        // Nobody listens any more, or there is nothing more to say.
        if sender.blocking_send(read).is_err() || failed {
            return;
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                self.left = self.left.saturating_sub(length);
                self.taken.fetch_add(length, Ordering::Relaxed);
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => Some(Err(error)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
