//! What stands outside sled and can contradict it.
//!
//! The witness is rewritten after each commit, never synced: it says at most what is durable in sled already, so it may be
//! behind (after a power cut) but never ahead. A store with fewer commits than its witness has lost some. At a clean close
//! it also notes the length and the time of sled's file: while these still agree, nobody has touched the file since, and
//! the next opening may skip the walk over all rows.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::Error;

/// What the witness last saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The number of the last commit.
    pub(super) commits: u64,
    /// Length, seconds and nanoseconds of sled's file at the last clean close.
    pub(super) closed: Option<(u64, i64, i64)>,
}

/// The file `witness`, open for writing.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    width: usize,
}

impl Witness {
    /// Opens it, and reads what it saw; a witness that cannot be understood has seen nothing.
    pub(super) fn open(path: &Path) -> Result<(Self, Seen), Error> {
        let seen = std::fs::read_to_string(path).ok().and_then(|text| parse(&text)).unwrap_or_default();
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = open.map_err(Error::io("open", path))?;
        Ok((Self { file, path: path.to_owned(), width: 0 }, seen))
    }

    /// Notes a commit, and that the store is open.
    pub(super) fn commit(&mut self, commits: u64) -> Result<(), Error> {
        self.write(Seen { commits, closed: None })
    }

    /// Notes a clean close: `db` is as we leave it.
    pub(super) fn close(&mut self, commits: u64, db: &Path) -> Result<(), Error> {
        self.write(Seen { commits, closed: stamp(db) })
    }

    /// One write at the start of the file, padded over what stood there before.
    fn write(&mut self, seen: Seen) -> Result<(), Error> {
        let text = text(seen);
        let line = format!("{text:width$}\n", width = self.width);
        self.width = self.width.max(text.len());
        self.file.write_all_at(line.as_bytes(), 0).map_err(Error::io("write", &self.path))?;
        self.file.set_len(line.len() as u64).map_err(Error::io("write", &self.path))
    }
}

/// Length and time of a file.
pub(super) fn stamp(path: &Path) -> Option<(u64, i64, i64)> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.len(), meta.mtime(), meta.mtime_nsec()))
}

fn text(seen: Seen) -> String {
    let closed = seen.closed.map(|(length, seconds, nanoseconds)| format!(" closed {length} {seconds} {nanoseconds}"));
    let text = format!("commits {}{}", seen.commits, closed.unwrap_or_default());
    format!("{text} check {:08x}", crc32fast::hash(text.as_bytes()))
}

fn parse(text: &str) -> Option<Seen> {
    let (body, check) = text.trim_end().rsplit_once(" check ")?;
    if u32::from_str_radix(check, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    let words: Vec<&str> = body.split(' ').collect();
    match words[..] {
        ["commits", commits] => Some(Seen { commits: commits.parse().ok()?, closed: None }),
        ["commits", commits, "closed", length, seconds, nanoseconds] => {
            let closed = Some((length.parse().ok()?, seconds.parse().ok()?, nanoseconds.parse().ok()?));
            Some(Seen { commits: commits.parse().ok()?, closed })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_read_back_and_a_changed_byte_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let (mut witness, seen) = Witness::open(&path).unwrap();
        assert_eq!(seen, Seen::default());
        witness.close(12_345, &path).unwrap();
        witness.commit(7).unwrap();
        assert_eq!(Witness::open(&path).unwrap().1, Seen { commits: 7, closed: None });
        let closed = Seen { commits: 9, closed: Some((1, -2, 3)) };
        assert_eq!(parse(&text(closed)), Some(closed));
        let forged = text(closed).replace("commits 9", "commits 8");
        assert_eq!(parse(&forged), None);
    }
}
