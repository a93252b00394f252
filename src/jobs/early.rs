//! A worker gets ready while its job's file is being made durable.
//!
//! ```text
//! birth     ─written──────────fsync, name, fsync of the folder──────▶ answered ─▶ the word
//!              └─handed over─▶ fork, fences ─▶ waits for the word ···················▶ STARTED, fsync ─▶ guest
//! ```
//!
//! Two of the three waits for the disk before guest code are over by then. Until the word is said the worker has written
//! nothing but that an attempt was begun, into a file that nobody was told of; without it, it ends. So when the file does not
//! come about, or the daemon dies, or the job is cancelled meanwhile, nothing has run, and what is found is what would have been
//! found without a worker. Jobs for which no worker is free wait in the queue and hear the word at once.

use super::{
    index::{Job, Phase},
    journal::Journal,
    owner::{Owner, PATIENCE},
    placing::Leaving,
    request::Refusal,
    spawner::HandOver,
    word::Word,
};
use crate::{ids::MinionJobId, sys::pidfd::PidFd};

/// A worker that was given a job before that was durable, and waits for the word.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) word: Word,
    /// What was heard of it so far.
    pub(super) worker: Option<PidFd>,
    pub(super) refusal: Option<Refusal>,
    pub(super) gone: bool,
}

impl Owner {
    /// Takes a place for a job whose file is about to be made, if one is free. What this answers is to be given the file as
    /// soon as it is written; the worker gets ready while it is made durable, and waits for the word before it begins. If it
    /// is given none, the worker is gone.
    pub(super) fn reserve_worker(&mut self, id: &MinionJobId) -> Option<impl FnOnce(Journal) + Send + 'static> {
        let free = self.queue.is_empty() && self.closing.is_empty() && self.places_taken < self.workers_max;
        let digest = self.index.job(id)?.digest;
        if !free || self.renewing.contains(&digest) {
            return None;
        }
        let compiled = self.code.path(&digest)?;
        // Whatever is amiss shows again when the job waits for a worker like any other.
        let ties = self.ties_to_worker(id).ok()?;
        let Leaving { word, way, request, completion, secrets } = self.leaving(id.clone(), compiled, ties)?;
        if let Some(Job { phase: Phase::Birth { early, .. }, .. }) = self.index.job(id) {
            *early = Some(Early { word, worker: None, refusal: None, gone: false });
        }
        // Were the other side gone, the completion's end would bring the job back here.
        Some(move |journal| drop(way.send(HandOver { request, journal, completion, secrets })))
    }

    /// Says the word to a worker that was given its job before that was durable.
    pub(super) fn let_begin(&mut self, id: &MinionJobId, early: Early, cancelled: bool) {
        let Early { word, worker, refusal, gone } = early;
        let Some(job) = self.index.job(id) else { return };
        job.phase = refusal.map_or(Phase::HandedOver { worker }, Phase::Refused);
        if cancelled {
            // It ends at once, and then the job is ended.
            word.never();
        } else {
            word.begin();
        }
        if gone {
            self.look(id, PATIENCE);
        }
    }

    /// Takes in that a worker is gone.
    pub(super) fn gone(&mut self, id: &MinionJobId) {
        match self.index.job(id) {
            // To be looked at when there is something to look at.
            Some(Job { phase: Phase::Birth { early: Some(early), .. }, .. }) => early.gone = true,
            _ => self.look(id, PATIENCE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, os::fd::OwnedFd, path::PathBuf, pin::Pin, sync::Arc};

    use tokio::sync::{mpsc, oneshot};

    use super::{
        super::{
            birth::{self, Birth},
            code::CompiledCode,
            error::JournalError,
            index::Entry,
            intent::Intent,
            owner::tests::Faulty,
            record::Call,
            samples,
            spawners::Spawners,
            word::may_begin,
        },
        *,
    };
    use crate::ids::Digest;

    struct Code;

    impl CompiledCode for Code {
        fn path(&self, _: &Digest) -> Option<PathBuf> {
            Some("/cache/x.cwasm".into())
        }

        fn renew(&self, _: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async {})
        }
    }

    struct Newborn {
        faulty: Faulty,
        id: MinionJobId,
        born: Birth,
        completion: OwnedFd,
        folder: tempfile::TempDir,
    }

    /// An owner whose one worker was given a job that is about to be durable.
    fn newborn() -> Newborn {
        let folder = tempfile::tempdir().unwrap();
        let mut faulty = Faulty::new(folder.path());
        let (hand_overs, mut handed_over) = mpsc::unbounded_channel();
        faulty.owner.spawners = Spawners::to(hand_overs);
        faulty.owner.code = Arc::new(Code);
        let mut give = |call: Call| {
            let birth = Phase::Birth { replies: vec![oneshot::channel().0], early: None };
            faulty.owner.index.insert(call.id.clone(), Entry::Job(Job::new(&call, birth)));
            faulty.owner.births += 1;
            let id = call.id.clone();
            let worker = faulty.owner.reserve_worker(&id);
            let born = birth::create(folder.path(), call, |journal| {
                if let Some(give) = worker {
                    give(journal);
                }
            })
            .unwrap();
            (id, born)
        };
        let (id, born) = give(samples::call());
        let HandOver { completion, journal, .. } = handed_over.try_recv().unwrap();
        drop(journal);
        // For another there is no room.
        give(samples::call());
        assert!(handed_over.try_recv().is_err());
        assert_eq!((faulty.owner.places_taken, faulty.owner.index.places_taken()), (1, 1));
        Newborn { faulty, id, born, completion, folder }
    }

    #[tokio::test]
    async fn a_worker_hears_the_word_when_its_job_is_durable() {
        let Newborn { mut faulty, id, born, completion, folder } = newborn();
        faulty.owner.born(id.clone(), Ok(born));
        assert!(may_begin(&completion));
        assert!(matches!(faulty.owner.index.job(&id).unwrap().phase, Phase::HandedOver { .. }));
        assert!(faulty.owner.queue.is_empty());
        let path = folder.path().join(id.as_str());
        assert!(Journal::seize(&path, std::time::Duration::ZERO).unwrap().is_some(), "the daemon has let go of it");
    }

    #[tokio::test]
    async fn a_worker_whose_job_does_not_come_about_hears_that_and_frees_its_place() {
        let broken = || JournalError::Write { source: io::ErrorKind::StorageFull.into() };
        for born in [Ok(Birth::Taken), Err(broken())] {
            let Newborn { mut faulty, id, completion, .. } = newborn();
            faulty.owner.born(id.clone(), born);
            assert!(!may_begin(&completion));
            assert_eq!(faulty.owner.places_taken, 0);
            faulty.owner.gone(&id);
            assert_eq!(faulty.owner.background, 0, "there is nothing to look at");
        }
    }

    #[tokio::test]
    async fn a_worker_whose_job_is_cancelled_meanwhile_does_not_begin() {
        let Newborn { mut faulty, id, born, completion, .. } = newborn();
        faulty.owner.index.job(&id).unwrap().intent = Intent::Cancel;
        faulty.owner.born(id, Ok(born));
        assert!(!may_begin(&completion));
    }

    #[tokio::test]
    async fn a_worker_that_is_gone_before_the_word_is_looked_at_after_it() {
        let Newborn { mut faulty, id, born, .. } = newborn();
        faulty.owner.gone(&id);
        assert_eq!(faulty.owner.background, 0);
        faulty.owner.born(id.clone(), Ok(born));
        assert_eq!(faulty.owner.background, 1);
        assert!(matches!(faulty.owner.index.job(&id).unwrap().phase, Phase::Settling(None)));
    }
}
