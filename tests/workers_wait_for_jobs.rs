//! A worker that was made while there was nothing to do is given the next job, and costs none when it is gone.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use func::{
    jobs::{JobState, Jobs},
    wire::Value,
};
use nix::unistd::Pid;

use crate::{
    harness::{command_line, processes_of},
    jobs::{Module, Place, code, end, in_the_guest, kill_at_once, records, submission, until, worker_of},
};

fn waiting(place: &Place) -> Vec<Pid> {
    let all = processes_of(place.path()).into_iter();
    all.filter(|pid| command_line(*pid).starts_with("funcd: spare worker")).collect()
}

/// Those that wait once a job has shown that there are jobs.
async fn waiting_after_a_job(place: &Place, jobs: &Jobs) -> Vec<Pid> {
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    assert_eq!(end(jobs, &id).await, JobState::Finished(Value::Int(2)));
    until("two workers wait", || async { waiting(place).len() == 2 }).await;
    waiting(place)
}

#[tokio::test]
async fn a_job_that_comes_alone_is_done_by_a_worker_that_waited() {
    let place = Place::new();
    let jobs = place.open().await;
    assert_eq!(waiting(&place), [], "without jobs nobody waits for one");
    let before = waiting_after_a_job(&place, &jobs).await;
    let id = jobs.submit(submission("hold", &[300])).await.unwrap();
    in_the_guest(&jobs, &id).await;
    assert!(before.contains(&worker_of(&id).unwrap()), "{before:?}");
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(300)));
    until("another has taken its place", || async { waiting(&place).len() == 2 }).await;
    jobs.shutdown().await;
    until("they end with the daemon", || async { waiting(&place).is_empty() }).await;
}

#[tokio::test]
async fn workers_that_are_killed_while_they_wait_cost_no_job_and_no_attempt() {
    let place = Place::new();
    let jobs = place.open().await;
    waiting_after_a_job(&place, &jobs).await.into_iter().for_each(kill_at_once);
    until("they are gone", || async { waiting(&place).is_empty() }).await;
    let id = jobs.submit(submission("add", &[2, 3])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(5)));
    assert_eq!(records(&place.file_of(&id), 2), 1);
    jobs.shutdown().await;
}

#[tokio::test]
async fn workers_that_wait_end_with_their_fork_server() {
    let place = Place::new();
    let jobs = place.open().await;
    let before = waiting_after_a_job(&place, &jobs).await;
    kill_at_once(place.fork_server().unwrap());
    until("they end", || async { waiting(&place).iter().all(|pid| !before.contains(pid)) }).await;
    waiting_after_a_job(&place, &jobs).await;
    jobs.shutdown().await;
}

#[tokio::test]
async fn workers_that_wait_do_not_outlive_the_code_that_they_have() {
    let place = Place::new();
    let (versions, version) = (place.path().join("versions"), Arc::new(AtomicUsize::new(0)));
    let now = Arc::clone(&version);
    let code = code(move |_| {
        let name = Module::get().compiled.file_name().unwrap();
        let folder = versions.join(now.load(Ordering::Relaxed).to_string());
        fs::create_dir_all(&folder).ok()?;
        let _ = fs::hard_link(&Module::get().compiled, folder.join(name));
        Some(folder.join(name))
    });
    let jobs = Jobs::open(place.config(), code).await.unwrap();
    let before = waiting_after_a_job(&place, &jobs).await;
    version.store(1, Ordering::Relaxed);
    waiting_after_a_job(&place, &jobs).await;
    until("others wait instead", || async { waiting(&place).iter().all(|pid| !before.contains(pid)) }).await;
    jobs.shutdown().await;
}
