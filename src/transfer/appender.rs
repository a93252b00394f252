//! What is written at the end of a file: by the page cache, or in blocks past it.
//!
//! A large file in the page cache costs several times the work, and drives out what others need. What is written past it has to be
//! whole pages, in memory as on the disk: a [`Block`] of them at the end of a file of them. Where a file system
//! cannot do that, and for the rest of a file, there is the page cache. Whatever happens, the file is a beginning of what came.

use std::{
    fs::File,
    io::{self, Write as _},
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// How much a block holds.
const BLOCK: usize = 1 << 20;
/// What is written past the page cache begins and ends at a multiple of this, in memory and in the file.
const PAGE: usize = 4096;
/// After so many bytes in the page cache the disk is set to work, so that little is left to wait for at the end.
const FLUSHED: usize = 32 << 20;

/// Bytes at an address from which the disk can read.
#[derive(Debug)]
pub(super) struct Block {
    room: Vec<u8>,
    first: usize,
    filled: usize,
    most: usize,
}

impl Block {
    /// An empty one for the end of a file of so many bytes, which has whole pages when this one is full.
    pub(super) fn at(length: u64) -> Self {
        let room = vec![0; BLOCK + PAGE];
        let first = room.as_ptr().align_offset(PAGE).min(PAGE);
        let odd = usize::try_from(length % PAGE as u64).unwrap_or(0);
        Self { room, first, filled: 0, most: BLOCK - odd }
    }

    /// Takes as much as there is room for, and says how much that was.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.most - self.filled);
        self.room[self.first + self.filled..][..count].copy_from_slice(&bytes[..count]);
        self.filled += count;
        count
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.most
    }

    /// The same room for others, behind this one when it was full.
    pub(super) fn emptied(self) -> Self {
        Self { filled: 0, most: BLOCK, ..self }
    }

    fn bytes(&self) -> &[u8] {
        &self.room[self.first..][..self.filled]
    }
}

/// The end of a file that was opened to be appended to.
#[derive(Debug)]
pub(super) struct Appender<'a> {
    file: &'a File,
    /// How long the file is.
    length: u64,
    /// Bytes that may be in the page cache alone.
    dirty: usize,
    direct: Direct,
}

/// Whether what is written goes past the page cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direct {
    NotYet,
    Now,
    /// It was tried.
    Never,
}

impl<'a> Appender<'a> {
    /// Of a file of so many bytes.
    pub(super) fn new(file: &'a File, length: u64) -> Self {
        Self { file, length, dirty: 0, direct: Direct::NotYet }
    }

    /// Appends these by the page cache.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.direct == Direct::Now {
            set_direct(self.file, false)?;
            self.direct = Direct::Never;
        }
        if let Err(error) = (&mut &*self.file).write_all(bytes) {
            // What a full disk took of a piece is no piece.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.dirty += bytes.len();
        Ok(())
    }

    /// Appends a block, past the page cache if that can be done.
    pub(super) fn append_block(&mut self, block: &Block) -> io::Result<()> {
        let fits = block.filled == BLOCK && self.length.is_multiple_of(PAGE as u64);
        if fits && self.direct == Direct::NotYet {
            self.direct = if set_direct(self.file, true).is_ok() { Direct::Now } else { Direct::Never };
        }
        // What fails is tried with the page cache, which tells why if it fails there, too.
        let written = match self.direct {
            Direct::Now if fits => (&mut &*self.file).write(block.bytes()).unwrap_or(0),
            _ => 0,
        };
        self.length += written as u64;
        match &block.bytes()[written..] {
            [] => Ok(()),
            rest => self.append(rest),
        }
    }

    /// Whether the disk should be set to work. It is said once of the same bytes.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.dirty >= FLUSHED || (self.direct == Direct::Now && self.dirty > 0);
        if due {
            self.dirty = 0;
        }
        due
    }
}

impl Drop for Appender<'_> {
    fn drop(&mut self) {
        if self.direct == Direct::Now {
            // Whoever goes on with the file need not read and write whole pages.
            let _ = set_direct(self.file, false);
        }
    }
}

fn set_direct(file: &File, direct: bool) -> nix::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_DIRECT, direct);
    fcntl(file, FcntlArg::F_SETFL(flags)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn blocks_and_what_is_left_of_them_become_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::options().read(true).append(true).create(true).open(&path).unwrap();
        let bytes: Vec<u8> = (0..BLOCK * 3 + PAGE + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut appender = Appender::new(&file, 0);
        appender.append(&bytes[..=PAGE]).unwrap();
        let (mut at, mut block) = (PAGE + 1, Block::at(PAGE as u64 + 1));
        while at < bytes.len() {
            at += block.take(&bytes[at..]);
            appender.append_block(&block).unwrap();
            block = block.emptied();
        }
        // A block that does not begin with a page goes the other way.
        block.take(&bytes[..BLOCK]);
        appender.append_block(&block).unwrap();
        drop(appender);
        assert!(fs::read(&path).unwrap() == [&bytes[..], &bytes[..BLOCK]].concat());
        let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_DIRECT));
    }
}
