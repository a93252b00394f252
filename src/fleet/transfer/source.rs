//! What is sent: a file, digested once for all hosts.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{ids::Digest, transfer::digest_of};

/// A file to send, digested once for all hosts.
#[derive(Debug, Clone)]
pub struct Source {
    origin: Origin,
    /// What it is.
    pub digest: Digest,
    /// How long it is.
    pub size: u64,
}

/// Where the bytes are. A folder may have more files than can be open.
#[derive(Debug, Clone)]
enum Origin {
    Path(PathBuf),
    Open(Arc<File>),
}

impl Source {
    /// Opens and digests a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { origin: Origin::Path(path.to_owned()), ..Self::of(File::open(path)?)? })
    }

    /// Digests an open file.
    pub fn of(file: File) -> io::Result<Self> {
        let (digest, size) = digest_of(&mut &file)?;
        Ok(Self { origin: Origin::Open(Arc::new(file)), digest, size })
    }

    pub(in crate::fleet) fn file(&self) -> io::Result<Arc<File>> {
        match &self.origin {
            Origin::Path(path) => File::open(path).map(Arc::new),
            Origin::Open(file) => Ok(Arc::clone(file)),
        }
    }
}
