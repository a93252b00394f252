//! One blob on its way into the staging folder.

use std::{
    fs::{self, File},
    sync::atomic::AtomicU64,
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{
    Coding, ContentRange, Hasher, Refused, Staged, Sum, Writing,
    coding::Decoder,
    staging::Turn,
    writing::{Written, append},
};
use crate::sys::durable;

/// A blob that is being written.
#[derive(Debug)]
pub struct Upload {
    writing: Writing<Result<Staged, Refused>>,
    superseded: CancellationToken,
    /// Where its range ends.
    end: u64,
    /// What may come on the wire, where that is as much as will be in the file.
    left: Option<u64>,
}

impl Upload {
    pub(super) fn start(turn: Turn, file: File, range: ContentRange, coding: Coding) -> Self {
        let superseded = turn.superseded.clone();
        let writing = Writing::with(range.first, coding, move |queue, length| write(&turn, file, range, queue, length));
        let left = (coding == Coding::Plain).then(|| range.length());
        Self { writing, superseded, end: range.end, left }
    }

    /// Fires when another connection takes over.
    pub fn superseded(&self) -> CancellationToken {
        self.superseded.clone()
    }

    /// Writes the next piece. False means that nothing more is taken, for a reason that
    /// [`finish`](Self::finish) tells.
    pub async fn write(&mut self, piece: Bytes) -> bool {
        if let Some(left) = &mut self.left {
            match left.checked_sub(piece.len() as u64) {
                Some(rest) => *left = rest,
                None => return false,
            }
        }
        !self.superseded.is_cancelled() && self.writing.write(piece).await
    }

    /// Waits until everything is on the disk, and says what is there. `ended` says that the body ended by
    /// itself, and was not cut.
    pub async fn finish(self, ended: bool) -> Result<Staged, Refused> {
        let staged = self.writing.finish().await.map_err(Refused::Write)??;
        match staged {
            Staged::Part(_) if self.superseded.is_cancelled() => Err(Refused::Superseded),
            Staged::Part(length) if ended && length < self.end => Err(Refused::Length),
            staged => Ok(staged),
        }
    }
}

fn write(turn: &Turn, file: File, range: ContentRange, queue: Decoder, written: &AtomicU64) -> Result<Staged, Refused> {
    let Written { file, length, digest } = append(file, Hasher::sha256(), queue, written, |length| {
        turn.alive();
        !turn.superseded.is_cancelled() && length <= range.end
    })?;
    if length < range.total {
        return Ok(Staged::Part(length));
    }
    let folder = &turn.inner.folder;
    let part = turn.blob.part(folder);
    if digest != Sum::Sha256(turn.blob.digest) {
        fs::remove_file(part)?;
        return Err(Refused::Mismatch);
    }
    file.sync_all()?;
    fs::rename(part, turn.blob.whole(folder))?;
    durable::sync_folder(folder)?;
    Ok(Staged::Whole(length))
}
