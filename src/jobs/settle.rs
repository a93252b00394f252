//! Finding out what became of a job that nobody is at, and recording it.
//!
//! These functions wait for the disk, so they run on the threads for that. They carry out what
//! [`super::state::judge`] says and decide nothing themselves.

use std::{io, path::Path, sync::Arc, time::Duration};

use super::{
    error::JournalError,
    history::History,
    intent::Intent,
    journal::{self, Journal},
    record::{End, Record, Tombstone},
    report::JobState,
    request::Refusal,
    state::{InHand, Lock, Verdict, judge},
};
use crate::{
    sys::{
        clock::{BootId, Moment},
        durable,
    },
    wire::{JobStatus, RemoteError},
};

/// How long to wait for readers of a journal to let go of it.
const READERS: Duration = Duration::from_millis(200);

/// What becomes of a job whose secret nobody has any more.
pub(super) const SECRET_LOST: &str = "the secret that it was called with was lost with the daemon before a worker had it (secrets are kept in memory \
     only); nothing was run: submit it again";

/// What a job turned out to be.
#[derive(Debug)]
pub(super) enum Settled {
    /// Somebody is at it.
    Held,
    /// It has ended, with this where it was just read.
    Ended(Remembered, Option<Arc<End>>),
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
    pub(super) fetched: Option<Moment>,
    pub(super) bytes: u64,
    /// Its owner ended it, so nothing that it has started is to go on.
    pub(super) cancelled: bool,
}

/// Finds out what a job is, waiting at most `patience` for its writer to be gone, and records what is to
/// be recorded.
///
/// `refusal` is what the fork server last said about it, if it said anything; `intent` is what its owner is known to
/// want, beside what is written; `in_hand` is what of its call the journal does not have.
pub(super) fn settle(
    path: &Path,
    boot: BootId,
    patience: Duration,
    refusal: Option<&Refusal>,
    intent: Intent,
    in_hand: InHand,
) -> Result<Settled, JournalError> {
    let (lock, history) = journal::probe(path, patience)?;
    let written = Intent::of(path);
    let intent = if written == Intent::Cancel { written } else { intent };
    let settled = match judge(&history, lock, intent, in_hand, &boot.now()) {
        Verdict::Running => Ok(Settled::Held),
        Verdict::Ended(_) | Verdict::Purged | Verdict::Unreadable => Ok(known(&history)),
        // To be done under the writer's lock, after reading again.
        Verdict::Lost
        | Verdict::Spawn
        | Verdict::Expired
        | Verdict::GivenUp
        | Verdict::Cancelled
        | Verdict::SecretLost => match Journal::seize(path, READERS)? {
            None => Ok(Settled::Held),
            Some((journal, history)) => conclude(journal, &history, &boot.now(), refusal, intent, in_hand),
        },
    };
    if written == Intent::Cancel && matches!(settled, Ok(Settled::Ended(..) | Settled::Purged(_))) {
        Intent::settled(path);
    }
    settled
}

fn conclude(
    mut journal: Journal,
    history: &History,
    now: &Moment,
    refusal: Option<&Refusal>,
    intent: Intent,
    in_hand: InHand,
) -> Result<Settled, JournalError> {
    let end = match judge(history, Lock::Free, intent, in_hand, now) {
        Verdict::Running => return Ok(Settled::Held),
        Verdict::Spawn => return Ok(Settled::Spawn(journal)),
        Verdict::Ended(_) | Verdict::Purged | Verdict::Unreadable => return Ok(known(history)),
        Verdict::Lost => End::Lost { why: lost(history) },
        Verdict::Cancelled => End::Cancelled,
        Verdict::SecretLost => End::Lost { why: SECRET_LOST.to_owned() },
        Verdict::Expired => {
            End::TimedOut { after: history.call.as_ref().map(|call| call.deadline).unwrap_or_default() }
        }
        Verdict::GivenUp => match refusal {
            Some(Refusal::NotLoaded(why)) => End::Failed(RemoteError::new("ModuleNotLoaded", why)),
            _ => End::Lost {
                why: format!("no worker could begin it in {} attempts; see the minion's log", history.hand_overs),
            },
        },
    };
    let (status, cancelled) = (JobState::from(end.clone()).answer().0, end == End::Cancelled);
    journal.finish(*now, end)?;
    let remembered = Remembered { at: *now, status, fetched: None, bytes: journal.length(), cancelled };
    Ok(Settled::Ended(remembered, None))
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
        Some(ended) => {
            let remembered = Remembered {
                at: ended.at,
                status: JobState::from(ended.end.clone()).answer().0,
                fetched: history.fetched,
                bytes: history.whole,
                cancelled: ended.end == End::Cancelled,
            };
            Settled::Ended(remembered, Some(Arc::new(ended.end.clone())))
        }
        None => Settled::Unreadable,
    }
}

/// Ends a job that was never begun. Its journal is in hand.
pub(super) fn end_unbegun(path: &Path, mut journal: Journal, boot: BootId, end: End) -> Result<Settled, JournalError> {
    let (now, status, cancelled) = (boot.now(), JobState::from(end.clone()).answer().0, end == End::Cancelled);
    journal.finish(now, end)?;
    Intent::settled(path);
    let remembered = Remembered { at: now, status, fetched: None, bytes: journal.length(), cancelled };
    Ok(Settled::Ended(remembered, None))
}

/// Records that the owner has been given the result. Losing this to a power cut only keeps it longer.
pub(super) fn acknowledge(path: &Path, boot: BootId) -> Result<(), JournalError> {
    match Journal::seize(path, READERS)? {
        Some((mut journal, history)) if history.ended.is_some() => journal.append(&Record::Acknowledged(boot.now())),
        _ => Ok(()),
    }
}

/// Takes an id for a job that is cancelled before it was ever accepted. `false`: there is a file of this name.
pub(super) fn reserve(path: &Path, tombstone: &Tombstone) -> Result<bool, JournalError> {
    let bytes = Record::Tombstone(tombstone.clone()).encode()?;
    match durable::write_new(path, &bytes, 0o600) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(JournalError::io(path, source)),
    }
}

/// Puts a tombstone in place of a job's file.
pub(super) fn bury(path: &Path, tombstone: &Tombstone) -> Result<(), JournalError> {
    let bytes = Record::Tombstone(tombstone.clone()).encode()?;
    durable::write_atomic(path, &bytes, 0o600).map_err(|source| JournalError::io(path, source))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{
            record::{Call, Ended},
            recover::recover,
            samples,
        },
        *,
    };
    use crate::wire::Value;

    /// What is found, and what the file says afterwards.
    fn found(call: Call, records: &[Record]) -> (Settled, History) {
        let folder = tempfile::tempdir().unwrap();
        let id = samples::left_behind(folder.path(), call, records);
        let mut found = recover(folder.path(), BootId::current(), None).unwrap();
        assert_eq!(found.len(), 1);
        let found = found.remove(0);
        assert_eq!((&found.id, &found.call.unwrap().id), (&id, &id));
        (found.settled.unwrap(), journal::read(&folder.path().join(id.as_str())).unwrap())
    }

    fn end(history: History) -> End {
        history.ended.map(|Ended { end, .. }| end).expect("an end is recorded")
    }

    #[test]
    fn an_accepted_job_is_to_be_spawned() {
        let (settled, history) = found(samples::call(), &[Record::HandOver(samples::moment(0))]);
        assert!(matches!(settled, Settled::Spawn(_)), "{settled:?}");
        assert!(history.hand_overs == 1 && history.ended.is_none());
    }

    #[test]
    fn a_begun_job_without_a_writer_is_recorded_as_lost() {
        let (settled, history) = found(samples::call(), &[samples::started()]);
        assert!(matches!(settled, Settled::Ended(Remembered { status: JobStatus::Lost, .. }, _)), "{settled:?}");
        let End::Lost { why } = end(history) else { panic!("lost is recorded") };
        assert!(why.starts_with("its worker (process 4711, begun "), "{why}");
    }

    #[test]
    fn a_job_whose_secret_was_only_in_memory_is_lost_and_never_spawned() {
        let secret = Value::Secret(crate::wire::Secret::new("hunter2"));
        let call = || Call { args: vec![Value::from("bob"), secret.clone()], ..samples::call() };
        let (settled, history) = found(call(), &[Record::HandOver(samples::moment(0))]);
        assert!(matches!(settled, Settled::Ended(Remembered { status: JobStatus::Lost, .. }, _)), "{settled:?}");
        assert!(matches!(end(history), End::Lost { why } if why.contains("submit it again")));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(samples::left_behind(folder.path(), call(), &[]).as_str());
        assert!(!fs::read(&path).unwrap().windows(7).any(|piece| piece == b"hunter2"));
        let settled = settle(&path, BootId::current(), Duration::ZERO, None, Intent::Run, InHand::Secrets).unwrap();
        assert!(matches!(settled, Settled::Spawn(_)), "{settled:?}");
    }

    #[test]
    fn a_job_that_was_not_begun_in_time_is_recorded_as_timed_out() {
        let (_, history) = found(Call { deadline: Duration::ZERO, ..samples::call() }, &[]);
        assert_eq!(end(history), End::TimedOut { after: Duration::ZERO });
    }

    #[test]
    fn a_job_that_could_not_be_begun_ends_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let give_up = |refusal: Option<&Refusal>| {
            let attempts = vec![Record::HandOver(samples::moment(0)); 3];
            let path = folder.path().join(samples::left_behind(folder.path(), samples::call(), &attempts).as_str());
            settle(&path, BootId::current(), Duration::ZERO, refusal, Intent::Run, InHand::Nothing).unwrap();
            end(journal::read(&path).unwrap())
        };
        assert!(matches!(give_up(None), End::Lost { why } if why.contains("3 attempts")));
        let End::Failed(failure) = give_up(Some(&Refusal::NotLoaded("damaged".to_owned()))) else { panic!() };
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("ModuleNotLoaded", "damaged"));
    }

    #[test]
    fn an_ended_job_is_remembered_with_its_acknowledgement() {
        let ended = samples::ended(End::Finished(Value::Int(1)));
        let (settled, _) =
            found(samples::call(), &[samples::started(), ended, Record::Acknowledged(samples::moment(0))]);
        let Settled::Ended(remembered, _) = settled else { panic!("it has ended") };
        assert_eq!((remembered.status, remembered.fetched.is_some()), (JobStatus::Finished, true));
    }

    #[test]
    fn acknowledging_and_burying_are_seen_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let (boot, call) = (BootId::current(), samples::call());
        let tombstone =
            Tombstone { owner: call.owner.clone(), fingerprint: call.fingerprint(), purged: samples::moment(0) };
        let id = samples::left_behind(folder.path(), call, &[samples::ended(End::Cancelled)]);
        let path = folder.path().join(id.as_str());
        acknowledge(&path, boot).unwrap();
        assert!(journal::read(&path).unwrap().fetched.is_some());
        bury(&path, &tombstone).unwrap();
        let Settled::Purged(found) = settle(&path, boot, Duration::ZERO, None, Intent::Run, InHand::Nothing).unwrap()
        else {
            panic!("it is buried")
        };
        assert_eq!(found, tombstone);
    }
}
