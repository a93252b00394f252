//! Digests of what is too large to hold: every byte that is transferred is digested on both sides.
//!
//! SHA-256 is what files are named by, made by ring, which uses the processor's own instructions whatever we are built with. What
//! two sides only compare is made by BLAKE3, which is as hard to deceive and takes a quarter of the time.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    ops::Range,
    os::unix::fs::FileExt,
    str::FromStr,
};

use ring::digest::{Context, SHA256};

use crate::ids::Digest;

/// As much is read at a time.
const PIECE: usize = 256 << 10;

/// What tells bytes from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// What they are named by.
    Sha256(Digest),
    /// For a comparison.
    Blake3(blake3::Hash),
}

/// A text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` or `blake3:` and 64 hexadecimal digits")]
pub struct InvalidSum;

impl FromStr for Sum {
    type Err = InvalidSum;

    fn from_str(text: &str) -> Result<Self, InvalidSum> {
        match text.split_once(':') {
            Some(("sha256", digits)) => digits.parse().map(Self::Sha256).map_err(|_| InvalidSum),
            Some(("blake3", digits)) => blake3::Hash::from_hex(digits).map(Self::Blake3).map_err(|_| InvalidSum),
            _ => Err(InvalidSum),
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256:{digest}"),
            Self::Blake3(digest) => write!(f, "blake3:{digest}"),
        }
    }
}

/// A digest that is being made.
pub enum Hasher {
    /// By SHA-256.
    Sha256(Box<Context>),
    /// By BLAKE3.
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    /// SHA-256 of nothing yet.
    pub fn sha256() -> Self {
        Self::Sha256(Box::new(Context::new(&SHA256)))
    }

    /// BLAKE3 of nothing yet.
    pub fn blake3() -> Self {
        Self::Blake3(Box::default())
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(context) => context.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    /// The digest of all that came.
    pub fn finish(self) -> Sum {
        match self {
            Self::Sha256(context) => Sum::Sha256(finished(*context)),
            Self::Blake3(hasher) => Sum::Blake3(hasher.finalize()),
        }
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

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

fn finished(context: Context) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest.into()
}

/// The SHA-256 digest of everything that is read to the end, and its length.
pub fn digest_of(from: &mut impl Read) -> io::Result<(Digest, u64)> {
    let (mut context, mut length, mut piece) = (Context::new(&SHA256), 0, vec![0; PIECE]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok((finished(context), length)),
            Ok(count) => {
                context.update(&piece[..count]);
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
        for (mut hasher, whole) in
            [(Hasher::sha256(), Sum::Sha256(whole)), (Hasher::blake3(), Sum::Blake3(blake3::hash(&bytes)))]
        {
            hasher.read(&mut &bytes[..], 1000).unwrap();
            hasher.update(&bytes[1000..]);
            assert_eq!(hasher.finish(), whole);
            assert_eq!(whole.to_string().parse(), Ok(whole));
        }
        assert!(Hasher::sha256().read(&mut &bytes[..10], 11).is_err());
    }
}
