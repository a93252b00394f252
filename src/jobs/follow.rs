//! Listening to a job: an answer as soon as there is something to tell.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    error::Error,
    handle::Jobs,
    log::{self, LogPiece},
    owner::path_of,
    record::Progress,
};
use crate::ids::MinionJobId;

/// How often a job's file is looked at for whether it has grown.
const LOOK: Duration = Duration::from_millis(100);

/// What there is to tell of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its log from the offset that was asked for.
    pub piece: LogPiece,
    /// How far its method says it has come, of how much, if it says that; and what it says that it does.
    pub progress: Option<(u64, Option<u64>, String)>,
}

impl Jobs {
    /// Like [`Jobs::log`], answered when the log goes on behind the offset, when the job ends, or when the time is over.
    pub async fn follow(
        &self,
        id: &MinionJobId,
        owner: &str,
        offset: u64,
        time: Duration,
    ) -> Result<Option<Told>, Error> {
        let until = Instant::now() + time;
        loop {
            // Asked before it is read: what is written in between is then seen as growth.
            let size = self.size(id).await;
            let Some((known, history)) = self.look(id, owner).await? else { return Ok(None) };
            let piece = log::piece(&history, offset, known.end.is_none());
            if piece.ended || !piece.bytes.is_empty() || Instant::now() >= until {
                let progress = history.progress.map(|Progress { done, total, note }| (done, total, note));
                return Ok(Some(Told { piece, progress }));
            }
            let Some(mut end) = known.end else { continue };
            while Instant::now() < until && self.size(id).await == size {
                tokio::select! {
                    _ = &mut end => break,
                    () = sleep(LOOK.min(until.saturating_duration_since(Instant::now()))) => {}
                }
            }
        }
    }

    async fn size(&self, id: &MinionJobId) -> Option<u64> {
        tokio::fs::metadata(path_of(self.folder(), id)).await.ok().map(|file| file.len())
    }
}
