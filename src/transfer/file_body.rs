//! A part of a file as an HTTP body, read a few pieces ahead on a thread that may wait for the disk, and digested there if its
//! digest is to follow.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use hyper::{
    HeaderMap,
    body::{Body, Frame, SizeHint},
    header::{HeaderName, HeaderValue},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Coding, Known, TrailingDigest, coding::Encoder};
use crate::wire;

/// One read.
const PIECE: usize = 256 << 10;
/// As many pieces wait for the network.
const AHEAD: usize = 4;

/// The bytes from one offset of a file to another.
#[derive(Debug)]
pub struct FileBody {
    pieces: mpsc::Receiver<io::Result<Piece>>,
    left: u64,
    length: Length,
    taken: Arc<AtomicU64>,
    /// One of the bodies that there may be at a time.
    _place: Option<OwnedSemaphorePermit>,
}

/// What is sent at once.
#[derive(Debug)]
struct Piece {
    frame: Frame<Bytes>,
    /// So many bytes of the file are in it.
    length: u64,
}

/// How the network hears where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// It is told before.
    Told,
    /// By its end: it is compressed, or something follows.
    Open,
}

impl FileBody {
    /// The bytes of `file` from `first` up to `end`. A file that turns out to be shorter breaks the body off.
    /// Must be called within a tokio runtime.
    pub fn new(file: Arc<File>, first: u64, end: u64, coding: Coding) -> Self {
        Self::start(file, first, end, coding, None)
    }

    /// The same, with a trailer behind it that tells the digest of everything up to `end`, unless the file has changed
    /// meanwhile.
    pub fn with_digest(file: Arc<File>, first: u64, end: u64, coding: Coding, known: Arc<Known>) -> Self {
        Self::start(file, first, end, coding, Some(known))
    }

    fn start(file: Arc<File>, first: u64, end: u64, coding: Coding, known: Option<Arc<Known>>) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let is_told = known.is_none() && coding == Coding::Plain;
        let length = if is_told { Length::Told } else { Length::Open };
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&file, first..end, coding, known.as_ref(), &sender) {
                // Nobody may listen any more.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self { pieces, left: end.saturating_sub(first), length, taken: Arc::default(), _place: None }
    }

    /// Holds a place until it is gone.
    #[must_use]
    pub fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    /// How many bytes of the file the network has taken so far, also after the body is gone.
    pub fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }
}

/// Ends when all has been said, or nobody listens any more.
fn read(
    file: &File,
    Range { start: first, end }: Range<u64>,
    coding: Coding,
    known: Option<&Arc<Known>>,
    sender: &mpsc::Sender<io::Result<Piece>>,
) -> io::Result<()> {
    let mut digest = known.map(|known| TrailingDigest::start(known, file, first, end)).transpose()?;
    let (mut at, mut encoder, mut pieces) = (first, Encoder::new(coding), Pieces::default());
    while at < end {
        let mut piece = pieces.next(usize::try_from(end - at).unwrap_or(PIECE).min(PIECE));
        match file.read_at(&mut piece, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => piece.truncate(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        at += piece.len() as u64;
        let piece = pieces.keep(piece);
        // The network has it while it is digested.
        let frame = Frame::data(encoder.encode(&piece)?);
        if sender.blocking_send(Ok(Piece { frame, length: piece.len() as u64 })).is_err() {
            return Ok(());
        }
        if let Some(digest) = &mut digest {
            digest.update(&piece);
        }
    }
    let rest = encoder.finish()?;
    if !rest.is_empty() && sender.blocking_send(Ok(Piece { frame: Frame::data(rest), length: 0 })).is_err() {
        return Ok(());
    }
    if let Some(digest) = digest.map(|digest| digest.finish(file, end)).transpose()?.flatten()
        && let Ok(digest) = HeaderValue::try_from(digest.to_string())
    {
        let trailers = HeaderMap::from_iter([(HeaderName::from_static(wire::header::DIGEST), digest)]);
        let _ = sender.blocking_send(Ok(Piece { frame: Frame::trailers(trailers), length: 0 }));
    }
    Ok(())
}

/// Memory of pieces that went out, for those that follow: fresh memory costs as much as what is read into it.
#[derive(Debug, Default)]
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn next(&mut self, length: usize) -> BytesMut {
        let unused = match self.0.front() {
            Some(oldest) if oldest.is_unique() => self.0.pop_front(),
            _ => None,
        };
        let mut piece = unused.and_then(|piece| piece.try_into_mut().ok()).unwrap_or_default();
        piece.resize(length, 0);
        piece
    }

    fn keep(&mut self, piece: BytesMut) -> Bytes {
        let piece = piece.freeze();
        self.0.push_back(piece.clone());
        piece
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pieces.poll_recv(cx).map(|piece| {
            piece.map(|piece| {
                let Piece { frame, length } = piece?;
                self.left = self.left.saturating_sub(length);
                self.taken.fetch_add(length, Ordering::Relaxed);
                Ok(frame)
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.length == Length::Told
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Length::Told => SizeHint::with_exact(self.left),
            Length::Open => SizeHint::default(),
        }
    }
}
