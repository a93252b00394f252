//! How bytes look on the wire: as they are, or compressed as one LZ4 frame.
//!
//! A side says in the header `func-coding` what it takes; one that says nothing gets the bytes as they are. Offsets, sizes and
//! digests are always those of the file: what is compressed is the part that one request carries. LZ4, because it is
//! faster than the encryption beside it, so that it never makes a fast network slow.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    str::FromStr,
};

use bytes::{Buf, Bytes};
use lz4_flex::{
    block,
    frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo},
};
use tokio::sync::mpsc;

/// The header that names one.
pub const CODING: &str = "func-coding";

/// A part that is smaller goes as it is.
const SMALL: u64 = 4 << 10;
/// As much is tried, at three places.
const SAMPLE: usize = 32 << 10;
/// As much comes out at a time.
const PIECE: usize = 256 << 10;

/// How the bytes of one request look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    #[default]
    Plain,
    /// As one LZ4 frame.
    Lz4,
}

/// A coding that is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes come as they are, or with `func-coding: lz4`")]
pub struct UnknownCoding;

impl FromStr for Coding {
    type Err = UnknownCoding;

    fn from_str(text: &str) -> Result<Self, UnknownCoding> {
        match text {
            "lz4" => Ok(Self::Lz4),
            _ => Err(UnknownCoding),
        }
    }
}

impl Coding {
    /// The best that the other side takes, by what it said, for this part of a file: a few samples tell whether it gets
    /// smaller.
    pub fn best(said: Option<&str>, file: &File, first: u64, end: u64) -> Self {
        match said.map(str::parse) {
            Some(Ok(Self::Lz4)) if is_worth_it(file, first, end) => Self::Lz4,
            _ => Self::Plain,
        }
    }
}

fn is_worth_it(file: &File, first: u64, end: u64) -> bool {
    let length = end.saturating_sub(first);
    if length < SMALL {
        return false;
    }
    let most = length - length.min(SAMPLE as u64);
    let (mut before, mut after, mut sample) = (0, 0, vec![0; SAMPLE]);
    for offset in [0, most / 2, most] {
        // One that cannot be read breaks off when it is sent.
        let count = file.read_at(&mut sample, first + offset).unwrap_or(0);
        before += count;
        after += block::compress(&sample[..count]).len();
    }
    // What saves less than a tenth is not worth the time.
    after * 10 < before * 9
}

/// Makes what is sent of what is read.
#[derive(Debug)]
pub(super) enum Encoder {
    Plain,
    Lz4(Box<FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Plain => Self::Plain,
            Coding::Lz4 => {
                let info = FrameInfo::new().block_size(BlockSize::Max256KB);
                Self::Lz4(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
            }
        }
    }

    /// What is sent for the next piece: whoever gets so far can make all of it.
    pub(super) fn encode(&mut self, piece: &Bytes) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(piece.clone()),
            Self::Lz4(encoder) => {
                encoder.write_all(piece)?;
                encoder.flush()?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    /// What is sent at the end.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(Bytes::new()),
            Self::Lz4(encoder) => Ok(encoder.finish()?.into()),
        }
    }
}

/// Makes pieces of a file of what comes. One that has been compressed comes out bit by bit: a little that would become very
/// much is never in memory whole, and whoever reads stops when it is more than was said.
#[derive(Debug)]
pub(super) enum Decoder {
    Plain(mpsc::Receiver<Bytes>),
    Lz4(Box<FrameDecoder<Queue>>),
}

/// What has come, to be read.
#[derive(Debug)]
pub(super) struct Queue {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Decoder {
    pub(super) fn new(coding: Coding, pieces: mpsc::Receiver<Bytes>) -> Self {
        match coding {
            Coding::Plain => Self::Plain(pieces),
            Coding::Lz4 => Self::Lz4(Box::new(FrameDecoder::new(Queue { pieces, piece: Bytes::new() }))),
        }
    }

    /// The next piece; none at the end, and where what comes makes no sense.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Plain(pieces) => pieces.blocking_recv(),
            Self::Lz4(decoder) => {
                let mut piece = vec![0; PIECE];
                let count = decoder.read(&mut piece).ok().filter(|count| *count > 0)?;
                piece.truncate(count);
                Some(piece.into())
            }
        }
    }
}

impl Read for Queue {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(pieces: &[&[u8]], ended: bool) -> Vec<Bytes> {
        let mut encoder = Encoder::new(Coding::Lz4);
        let mut coded: Vec<Bytes> =
            pieces.iter().map(|piece| encoder.encode(&Bytes::copy_from_slice(piece)).unwrap()).collect();
        if ended {
            coded.push(encoder.finish().unwrap());
        }
        coded
    }

    fn decoded(pieces: &[Bytes]) -> Vec<u8> {
        let (sender, queue) = mpsc::channel(pieces.len() + 1);
        for piece in pieces {
            sender.try_send(piece.clone()).unwrap();
        }
        drop(sender);
        let mut decoder = Decoder::new(Coding::Lz4, queue);
        std::iter::from_fn(|| decoder.next()).flatten().collect()
    }

    #[test]
    fn what_was_sent_before_a_cut_comes_out() {
        let (one, two) = (vec![b'a'; PIECE], b"and more".repeat(1000));
        let whole = coded(&[&one, &two], true);
        assert!(whole.iter().map(Bytes::len).sum::<usize>() < 8000);
        assert_eq!(decoded(&whole), [one.clone(), two].concat());
        assert_eq!(decoded(&whole[..1]), one);
        let half = whole[1].slice(..whole[1].len() / 2);
        assert_eq!(decoded(&[whole[0].clone(), half]), one);
        assert_eq!(decoded(&[Bytes::from_static(b"no frame at all")]), b"");
        assert_eq!(decoded(&coded(&[], true)), b"");
    }

    #[test]
    fn what_does_not_get_smaller_goes_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&b"the same again and again ".repeat(10_000)).unwrap();
        let length = file.metadata().unwrap().len();
        assert_eq!(Coding::best(Some("lz4"), &file, 0, length), Coding::Lz4);
        assert_eq!(Coding::best(Some("lz4"), &file, length - 100, length), Coding::Plain, "a little");
        for said in [None, Some("zstd"), Some("")] {
            assert_eq!(Coding::best(said, &file, 0, length), Coding::Plain, "{said:?}");
        }
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(200_000)
        .collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&noise).unwrap();
        assert_eq!(Coding::best(Some("lz4"), &file, 0, 200_000), Coding::Plain);
    }

    #[test]
    fn whatever_comes_as_a_frame_comes_out_bit_by_bit() {
        let whole = coded(&[&[b'a'; 5000], &b"and more".repeat(100)], true).concat();
        let empty = coded(&[], true).concat();
        let words = ["\u{4}\u{22}\u{4d}\u{18}", "\u{64}\u{40}", "\u{0}\u{0}\u{0}\u{0}", "\u{7f}\u{7f}\u{7f}\u{7f}"];
        crate::sys::fuzz::fuzz("frames", &[&whole, &empty], &words, |bytes| {
            let (sender, queue) = mpsc::channel(2);
            let (one, two) = bytes.split_at(bytes.len() / 2);
            for piece in [one, two] {
                sender.try_send(Bytes::copy_from_slice(piece)).unwrap();
            }
            drop(sender);
            let mut decoder = Decoder::new(Coding::Lz4, queue);
            let mut pieces = 0_usize;
            // Whoever reads stops when it is more than was said.
            while let Some(piece) = decoder.next().filter(|_| pieces < 64) {
                assert!(!piece.is_empty() && piece.len() <= PIECE);
                pieces += 1;
            }
            pieces.checked_ilog2()
        });
    }
}
