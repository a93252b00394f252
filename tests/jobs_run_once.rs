//! A job is made once, whoever asks how often, and each crash window is closed.

use std::{fs, io::Write, sync::Arc, time::Duration};

use func::{
    ids::MinionJobId,
    jobs::{JobState, Retention, Submission, SubmitError},
    wire::Value,
};

use crate::jobs::{PATIENCE, Place, compiled, end, in_the_guest, kill_at_once, script_in, status, submission, until};

/// How often guest code began: each begin of `work.wat` logs one line.
async fn begins(jobs: &func::jobs::Jobs, id: &MinionJobId) -> usize {
    jobs.tail_output(id, "alice").await.unwrap().unwrap().0.matches("in the guest").count()
}

#[tokio::test]
async fn a_result_is_what_the_method_returned() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("add", &[1, 2])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(3)));
}

#[tokio::test]
async fn the_same_call_again_is_the_same_job() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("hold", &[200]);
    let submissions = (0..20).map(|_| jobs.submit(call.clone()));
    for submitted in futures_util::future::join_all(submissions).await {
        assert_eq!(submitted.unwrap(), call.id.clone().unwrap());
    }
    let id = call.id.clone().unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(200)));
    assert_eq!(jobs.submit(call).await.unwrap(), id);
    assert_eq!(begins(&jobs, &id).await, 1);
}

#[tokio::test]
async fn an_id_belongs_to_its_caller_and_its_call_and_says_no_more() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("add", &[1, 2]);
    let id = jobs.submit(call.clone()).await.unwrap();
    let stranger = Submission { owner: "mallory".to_owned(), ..call.clone() };
    let other = Submission { args: vec![Value::Int(1), Value::Int(3)], ..call };
    for foreign in [stranger, other] {
        let refused = jobs.submit(foreign).await.unwrap_err();
        assert!(matches!(&refused, SubmitError::Mismatch { .. }), "{refused}");
        assert_eq!(refused.to_string(), format!("the job id `{id}` is not free"));
    }
    end(&jobs, &id).await;
    assert_eq!(jobs.status(&id, "mallory").await.unwrap(), None);
    assert_eq!(jobs.tail_output(&id, "mallory").await.unwrap(), None);
    assert_eq!(jobs.wait(&id, "mallory", PATIENCE).await.unwrap(), None);
    assert_eq!(jobs.list("mallory").await.unwrap(), []);
    assert_eq!(jobs.list("alice").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_was_accepted_but_not_spawned_runs_after_a_restart() {
    let place = Place::new();
    // Its code is not there, so it stays between acceptance and hand-over.
    let jobs = func::jobs::Jobs::open(place.config(), Arc::new(|_| None)).await.unwrap();
    let call = submission("add", &[20, 22]);
    let id = jobs.submit(call.clone()).await.unwrap();
    assert_eq!(jobs.digests_in_use().await.unwrap(), [call.digest]);
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running);
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(42)));
    assert_eq!(begins(&jobs, &id).await, 1);
    assert_eq!(jobs.digests_in_use().await.unwrap(), []);
}

#[tokio::test]
async fn a_job_that_was_handed_over_but_not_begun_is_spawned_again() {
    let place = Place::new();
    // Takes the request, and the journal's lock with it, and does nothing.
    let script = format!("#!/bin/sh\necho $$ > '{}/idle.pid'\nexec sleep 600\n", place.path().display());
    let mut config = place.config();
    config.fork_server = script_in(place.path(), "idle", &script);
    let jobs = place.open_with(config).await;
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    let idle = || fs::read_to_string(place.path().join("idle.pid")).ok()?.trim().parse().ok();
    until("the idle fork server runs", || async { idle().is_some() }).await;
    jobs.shutdown().await;
    drop(jobs);
    // A job that merely waited would have left its lock free.
    let probe = fs::File::open(place.file_of(&id)).unwrap();
    assert!(matches!(probe.try_lock_shared(), Err(fs::TryLockError::WouldBlock)), "it was not handed over");
    drop(probe);

    let jobs = place.reopen().await;
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running, "the lock is still held");
    kill_at_once(nix::unistd::Pid::from_raw(idle().unwrap()));
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(2)));
    assert_eq!(begins(&jobs, &id).await, 1);
}

#[tokio::test]
async fn a_job_that_no_worker_begins_is_given_up() {
    let place = Place::new();
    let mut config = place.config();
    let script = format!("#!/bin/sh\necho started >> '{}/starts'\nexit 1\n", place.path().display());
    config.fork_server = script_in(place.path(), "broken", &script);
    let jobs = place.open_with(config).await;
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    let JobState::Lost { why } = end(&jobs, &id).await else { panic!("it must be lost") };
    assert!(why.contains("3 attempts"), "{why}");
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_the_job_goes_on() {
    let place = Place::new();
    let jobs = func::jobs::Jobs::open(place.config(), Arc::new(|_| None)).await.unwrap();
    let id = jobs.submit(submission("add", &[3, 4])).await.unwrap();
    jobs.shutdown().await;
    drop(jobs);
    // A record of 40 bytes of which 5 were written.
    let mut file = fs::File::options().append(true).open(place.file_of(&id)).unwrap();
    file.write_all(&[40, 0, 0, 0, 7, 1, 2, 3, 4, b'h', b'a', b'l', b'f', b'!']).unwrap();
    drop(file);
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(7)));
}

#[tokio::test]
async fn beyond_the_queue_the_answer_is_busy() {
    let place = Place::new();
    let mut config = place.config();
    (config.workers_max, config.queue_max) = (1, 2);
    let jobs = place.open_with(config).await;
    let first = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    in_the_guest(&jobs, &first).await;
    for _ in 0..2 {
        jobs.submit(submission("add", &[1, 1])).await.unwrap();
    }
    let refused = jobs.submit(submission("add", &[1, 1])).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Busy { waiting: 2 }), "{refused}");
    kill_at_once(crate::jobs::worker_of(&first).unwrap());
    until("there is room again", || async { jobs.submit(submission("add", &[1, 1])).await.is_ok() }).await;
}

#[tokio::test]
async fn a_purged_job_is_not_run_again() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("add", &[1, 2]);
    let id = jobs.submit(call.clone()).await.unwrap();
    end(&jobs, &id).await;
    jobs.shutdown().await;
    drop(jobs);

    let mut config = place.config();
    config.retention = Retention { acknowledged: Duration::ZERO, ..Retention::default() };
    let jobs = place.open_with(config).await;
    until("the job is purged", || async { status(&jobs, &id).await.is_none() }).await;
    let again = jobs.submit(call.clone()).await.unwrap_err();
    assert!(matches!(again, SubmitError::Purged { .. }), "{again}");
    let stranger = jobs.submit(Submission { owner: "mallory".to_owned(), ..call.clone() }).await.unwrap_err();
    assert!(matches!(stranger, SubmitError::Mismatch { .. }), "{stranger}");
    jobs.shutdown().await;
    drop(jobs);

    // The tombstone is on the disk, too.
    let jobs = place.reopen().await;
    assert!(matches!(jobs.submit(call).await.unwrap_err(), SubmitError::Purged { .. }));
}

#[tokio::test]
async fn one_folder_has_one_daemon() {
    let place = Place::new();
    let _jobs = place.open().await;
    let second = func::jobs::Jobs::open(place.config(), compiled()).await.unwrap_err();
    assert!(matches!(second, func::jobs::Error::InUse { .. }), "{second}");
}
