//! One blob on its way into the staging folder.

use std::fs::{self, File};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    ContentRange, Refused, Staged, Writing,
    staging::Turn,
    writing::{Written, append},
};
use crate::sys::durable;

/// A blob that is being written.
#[derive(Debug)]
pub struct Upload {
    writing: Writing<Result<Staged, Refused>>,
    superseded: CancellationToken,
    left: u64,
}

impl Upload {
    pub(super) fn start(turn: Turn, file: File, range: ContentRange) -> Self {
        let superseded = turn.superseded.clone();
        let writing = Writing::with(move |queue| write(&turn, file, range, queue));
        Self { writing, superseded, left: range.length() }
    }

    /// Fires when another connection takes over.
    pub fn superseded(&self) -> CancellationToken {
        self.superseded.clone()
    }

    /// Writes the next piece. False means that nothing more is taken, for a reason that
    /// [`finish`](Self::finish) tells.
    pub async fn write(&mut self, piece: Bytes) -> bool {
        let Some(left) = self.left.checked_sub(piece.len() as u64) else { return false };
        self.left = left;
        !self.superseded.is_cancelled() && self.writing.write(piece).await
    }

    /// Waits until everything is on the disk, and says what is there. `ended` says that the body ended by
    /// itself, and was not cut.
    pub async fn finish(self, ended: bool) -> Result<Staged, Refused> {
        let staged = self.writing.finish().await.map_err(Refused::Write)??;
        match staged {
            Staged::Part(_) if self.superseded.is_cancelled() => Err(Refused::Superseded),
            Staged::Part(_) if ended && self.left > 0 => Err(Refused::Length),
            staged => Ok(staged),
        }
    }
}

fn write(turn: &Turn, file: File, range: ContentRange, queue: mpsc::Receiver<Bytes>) -> Result<Staged, Refused> {
    let Written { file, length, digest } = append(file, range.first, queue, || {
        turn.alive();
        !turn.superseded.is_cancelled()
    })?;
    if length < range.total {
        return Ok(Staged::Part(length));
    }
    let folder = &turn.inner.folder;
    let part = turn.blob.part(folder);
    if digest != turn.blob.digest {
        fs::remove_file(part)?;
        return Err(Refused::Mismatch);
    }
    file.sync_all()?;
    fs::rename(part, turn.blob.whole(folder))?;
    durable::sync_folder(folder)?;
    Ok(Staged::Whole(length))
}
