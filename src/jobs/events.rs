//! What a running method says, written to its job's journal.
//!
//! Everything is bounded: log lines by the call's limit, progress by a number of records that grows ever
//! more slowly with the job's age. What is left out is counted, and the count is recorded with the end.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    error::JournalError,
    journal::Journal,
    record::{End, LeftOut, LogLine, Progress, Record, Started},
};
use crate::{
    plugin::{Budget, Events, Level},
    sys::clock::{BootId, since_boot},
};

/// What a record costs besides its text.
const OVERHEAD: usize = 32;
/// Records of progress that any job may write.
const PROGRESS_FREE: u32 = 100;

/// The journal of a running job, shared between the worker and the method's host functions.
pub(super) struct JournalEvents {
    boot: BootId,
    begun: Duration,
    inner: Mutex<Inner>,
}

struct Inner {
    journal: Journal,
    /// Bytes of log that may still be written.
    budget: usize,
    left_out: LeftOut,
    progress_written: u32,
    /// A progress that was not written, because there were too many.
    progress_pending: Option<Progress>,
}

impl JournalEvents {
    pub(super) fn new(journal: Journal, started: &Started, log_bytes: usize) -> Self {
        let inner = Inner {
            journal,
            budget: log_bytes,
            left_out: LeftOut::default(),
            progress_written: 0,
            progress_pending: None,
        };
        Self { boot: started.at.boot, begun: started.at.since_boot, inner: Mutex::new(inner) }
    }

    /// Records what became of the job and what it has used. Nothing is written after that.
    pub(super) fn finish(&self, end: End, budget: Option<Budget>) -> Result<(), JournalError> {
        let mut inner = self.lock();
        // These are worth having, but not worth losing the end for.
        if let Some(progress) = inner.progress_pending.take() {
            let _ = inner.journal.append(&Record::Progress(progress));
        }
        if inner.left_out.lines > 0 {
            let left_out = Record::LeftOut(inner.left_out);
            let _ = inner.journal.append(&left_out);
        }
        if let Some(budget) = budget {
            let _ = inner.journal.append(&Record::Budget(Box::new(budget)));
        }
        inner.budget = 0;
        inner.journal.finish(self.boot.now(), end)
    }

    /// A panic elsewhere leaves the journal as whole as it was: every append is complete or undone.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events for JournalEvents {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let mut inner = self.lock();
        let texts = fields.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>();
        let size = message.len() + texts + OVERHEAD;
        let line = || LogLine { at: Timestamp::now(), level, message: message.to_owned(), fields: fields.to_vec() };
        if size <= inner.budget && inner.journal.append(&Record::Log(line())).is_ok() {
            inner.budget -= size;
        } else {
            inner.left_out.lines += 1;
            inner.left_out.bytes += message.len() as u64;
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        let progress = Progress { done, total, note: note.chars().take(200).collect() };
        let mut inner = self.lock();
        let age = since_boot().saturating_sub(self.begun);
        if inner.progress_written < progress_allowance(age)
            && inner.journal.append(&Record::Progress(progress.clone())).is_ok()
        {
            inner.progress_written += 1;
            inner.progress_pending = None;
        } else {
            inner.progress_pending = Some(progress);
        }
    }
}

/// How many records of progress a job of this age may have: a hundred more each time its age doubles,
/// so 100 at once, 600 in a minute, 2,000 in a week.
fn progress_allowance(age: Duration) -> u32 {
    let doublings = (1 + age.as_secs()).ilog2();
    PROGRESS_FREE + PROGRESS_FREE * doublings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_thins_out_with_age() {
        let allowance = |seconds| progress_allowance(Duration::from_secs(seconds));
        assert_eq!(allowance(0), 100);
        assert_eq!(allowance(60), 600);
        assert_eq!(allowance(7 * 24 * 3600), 2000);
        assert!(allowance(u64::MAX / 2) < 10_000);
    }
}
