//! Disk space taken before it is needed, so that a full disk cannot swallow a result.

use std::{fs::File, io, os::unix::fs::MetadataExt};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, fallocate},
};

/// Whether the file system can promise space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The blocks belong to the file now.
    Yes,
    /// The file system has no such promise (some network and overlay file systems); writing may fail.
    Unsupported,
}

/// Takes blocks for the bytes from `offset` to `offset + length` without changing the file's size.
///
/// A full disk is [`io::ErrorKind::StorageFull`], an exhausted quota [`io::ErrorKind::QuotaExceeded`].
pub fn reserve(file: &File, offset: u64, length: u64) -> io::Result<Reserved> {
    let to_offset = |number: u64| i64::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let (offset, length) = (to_offset(offset)?, to_offset(length)?);
    loop {
        match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, length) {
            Ok(()) => return Ok(Reserved::Yes),
            Err(Errno::EINTR) => {}
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(Reserved::Unsupported),
            Err(error) => return Err(error.into()),
        }
    }
}

/// How many bytes of a file that has no holes have blocks.
pub fn held(file: &File) -> io::Result<u64> {
    // In this unit, whatever the file system's blocks are.
    Ok(file.metadata()?.blocks() * 512)
}

/// Gives blocks beyond the file's end back.
pub fn release_beyond_end(file: &File) -> io::Result<()> {
    file.set_len(file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_space_does_not_show_in_the_size_and_is_given_back() {
        let file = tempfile::tempfile().unwrap();
        if reserve(&file, 0, 1 << 20).unwrap() == Reserved::Unsupported {
            return;
        }
        let reserved = file.metadata().unwrap();
        assert_eq!(reserved.len(), 0);
        assert!(held(&file).unwrap() >= 1 << 20);
        release_beyond_end(&file).unwrap();
        assert!(held(&file).unwrap() < 1 << 20);
    }

    #[test]
    fn more_than_any_disk_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(reserve(&file, 0, u64::MAX).is_err());
        assert!(reserve(&file, 0, 1 << 62).is_err());
    }
}
