//! Finding out what became of a job that nobody is at, and recording it.
//!
//! These functions wait for the disk, so they run on the threads for that. They carry out what
//! [`super::state::judge`] says and decide nothing themselves.

use std::{fs, io, path::Path, time::Duration};

use super::{
    error::JournalError,
    history::History,
    journal::{self, Journal},
    record::{Call, End, Record, Tombstone},
    report::JobState,
    state::{Lock, Verdict, judge},
};
use crate::{
    ids::MinionJobId,
    sys::{
        clock::{BootId, Moment},
        durable,
    },
    wire::JobStatus,
};

/// How long to wait for readers of a journal to let go of it.
const READERS: Duration = Duration::from_millis(200);

/// What a job turned out to be.
#[derive(Debug)]
pub(super) enum Settled {
    /// Somebody is at it.
    Held,
    /// It has ended.
    Ended(Remembered),
    /// It is to be given to a worker.
    Spawn(Journal),
    /// It has been purged.
    Purged(Tombstone),
    /// The file says nothing that can be understood.
    Unreadable,
}

/// What is remembered of an ended job; the rest stays in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) at: Moment,
    pub(super) status: JobStatus,
    pub(super) acknowledged: bool,
    pub(super) bytes: u64,
}

/// A job's file as it was found at the start.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: MinionJobId,
    pub(super) call: Option<Box<Call>>,
    pub(super) settled: Settled,
}

/// Finds out what a job is, waiting at most `patience` for its writer to be gone, and records what is to
/// be recorded.
pub(super) fn settle(path: &Path, boot: BootId, patience: Duration) -> Result<Settled, JournalError> {
    let (lock, history) = journal::probe(path, patience)?;
    match judge(&history, lock, &boot.now()) {
        Verdict::Running => Ok(Settled::Held),
        Verdict::Ended(_) | Verdict::Purged | Verdict::Unreadable => Ok(known(&history)),
        // To be done under the writer's lock, after reading again.
        Verdict::Lost | Verdict::Spawn | Verdict::Expired | Verdict::GivenUp => match Journal::seize(path, READERS)? {
            None => Ok(Settled::Held),
            Some((journal, history)) => conclude(journal, &history, &boot.now()),
        },
    }
}

fn conclude(mut journal: Journal, history: &History, now: &Moment) -> Result<Settled, JournalError> {
    let end = match judge(history, Lock::Free, now) {
        Verdict::Running => return Ok(Settled::Held),
        Verdict::Spawn => return Ok(Settled::Spawn(journal)),
        Verdict::Ended(_) | Verdict::Purged | Verdict::Unreadable => return Ok(known(history)),
        Verdict::Lost => End::Lost { why: lost(history) },
        Verdict::Expired => {
            End::TimedOut { after: history.call.as_ref().map(|call| call.deadline).unwrap_or_default() }
        }
        Verdict::GivenUp => End::Lost {
            why: format!("no worker could begin it in {} attempts; see the minion's log", history.hand_overs),
        },
    };
    let status = JobState::from(end.clone()).answer().0;
    journal.finish(*now, end)?;
    Ok(Settled::Ended(Remembered { at: *now, status, acknowledged: false, bytes: journal.length() }))
}

fn lost(history: &History) -> String {
    match &history.started {
        Some(started) => {
            format!("its worker (process {}, begun {}) ended without recording a result", started.pid, started.at.wall)
        }
        None => "its worker ended without recording a result".to_owned(),
    }
}

/// What a journal says of a job that needs nothing done.
fn known(history: &History) -> Settled {
    if let Some(tombstone) = &history.tombstone {
        return Settled::Purged(tombstone.clone());
    }
    match &history.ended {
        Some(ended) => Settled::Ended(Remembered {
            at: ended.at,
            status: JobState::from(ended.end.clone()).answer().0,
            acknowledged: history.acknowledged,
            bytes: history.whole,
        }),
        None => Settled::Unreadable,
    }
}

/// Ends a job that was never begun. Its journal is in hand.
pub(super) fn end_unbegun(mut journal: Journal, boot: BootId, end: End) -> Result<Settled, JournalError> {
    let (now, status) = (boot.now(), JobState::from(end.clone()).answer().0);
    journal.finish(now, end)?;
    Ok(Settled::Ended(Remembered { at: now, status, acknowledged: false, bytes: journal.length() }))
}

/// Settles everything in the folder and removes what births left behind that never came about.
///
/// A job that cannot be read or settled is reported and left as it is.
pub(super) fn recover(folder: &Path, boot: BootId) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if journal::id_in_temporary_name(name).is_some() {
            // Linked or not: under this name nobody needs it, and nobody was told of it.
            fs::remove_file(entry.path())?;
            continue;
        }
        let Ok(id) = name.parse::<MinionJobId>() else {
            tracing::warn!(file = %entry.path().display(), "not a job; left alone");
            continue;
        };
        let path = entry.path();
        let recovered =
            settle(&path, boot, Duration::ZERO).and_then(|settled| Ok((journal::read(&path)?.call, settled)));
        match recovered {
            Ok((call, settled)) => found.push(Found { id, call, settled }),
            Err(error) => {
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "cannot recover a job; left alone");
                found.push(Found { id, call: None, settled: Settled::Unreadable });
            }
        }
    }
    Ok(found)
}

/// Records that the owner has been given the result. Losing this to a power cut only keeps it longer.
pub(super) fn acknowledge(path: &Path, boot: BootId) -> Result<(), JournalError> {
    match Journal::seize(path, READERS)? {
        Some((mut journal, history)) if history.ended.is_some() => journal.append(&Record::Acknowledged(boot.now())),
        _ => Ok(()),
    }
}

/// Puts a tombstone in place of a job's file.
pub(super) fn bury(path: &Path, tombstone: &Tombstone) -> Result<(), JournalError> {
    let bytes = Record::Tombstone(tombstone.clone()).encode()?;
    durable::write_atomic(path, &bytes, 0o600).map_err(|source| JournalError::io(path, source))
}
