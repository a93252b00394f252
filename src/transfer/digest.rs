//! Digests of what is too large to hold.
//!
//! By ring, which uses the processor's own instructions whatever we are built with: every byte that is
//! transferred is digested on both sides.

use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
};

use ring::digest::{Context, SHA256};

use crate::ids::Digest;

/// As much is read at a time.
const PIECE: usize = 256 << 10;

/// A SHA-256 digest that is being made.
pub struct Hasher(Context);

impl Hasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that came.
    pub fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest.into()
    }

    /// Goes on with a part of a file that others read, too. Fewer bytes are an error.
    pub fn read_at(&mut self, file: &File, part: Range<u64>) -> io::Result<()> {
        let length = part.end.saturating_sub(part.start);
        self.read(&mut At { file, offset: part.start }, length)
    }

    /// Goes on with `length` bytes of a file. Fewer are an error.
    pub fn read(&mut self, from: &mut impl Read, mut length: u64) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        while length > 0 {
            let most = usize::try_from(length).unwrap_or(PIECE).min(PIECE);
            match from.read(&mut piece[..most]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.update(&piece[..count]);
                    length -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A file from an offset on, whose cursor stays where it is.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(bytes, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

/// The digest of everything that is read to the end, and its length.
pub fn digest_of(from: &mut impl Read) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut length, mut piece) = (Hasher::new(), 0, vec![0; PIECE]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok((hasher.finish(), length)),
            Ok(count) => {
                hasher.update(&piece[..count]);
                length += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..PIECE * 2 + 5).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let whole = Digest::of(&bytes);
        assert_eq!(digest_of(&mut &bytes[..]).unwrap(), (whole, bytes.len() as u64));
        let mut hasher = Hasher::new();
        hasher.read(&mut &bytes[..], 1000).unwrap();
        hasher.update(&bytes[1000..]);
        assert_eq!(hasher.finish(), whole);
        assert!(Hasher::new().read(&mut &bytes[..10], 11).is_err());
    }
}
