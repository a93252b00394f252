//! A job that its owner cancels ends, with everything that it has started, wherever it is and whoever dies meanwhile.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use func::{
    fleet::Outcome,
    ids::MinionJobId,
    jobs::{JobState, Jobs, SubmitError},
    wire::{RemoteError, Value},
};
use nix::sys::signal::{Signal, kill};

use crate::{
    harness::{Fleet, guest, with_word},
    jobs::{
        Module, Place, compiled, config_in, end, in_the_guest, kill_at_once, no_code, records, status, submission,
        until, worker_of,
    },
};

/// The wish to cancel a job, as it lies beside the journal.
fn wish(place: &Place, id: &MinionJobId) -> PathBuf {
    let mut path = place.file_of(id).into_os_string();
    path.push(".cancel");
    path.into()
}

async fn spinning(jobs: &Jobs) -> MinionJobId {
    let id = jobs.submit(submission("spin", &[])).await.unwrap();
    in_the_guest(jobs, &id).await;
    id
}

async fn cancel(jobs: &Jobs, id: &MinionJobId) -> Option<JobState> {
    jobs.cancel(id, "alice").await.unwrap()
}

#[tokio::test]
async fn a_running_job_is_ended_with_its_worker_and_says_so_for_ever() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = spinning(&jobs).await;
    let worker = worker_of(&id).unwrap();
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled));
    until("the worker is gone", || async { kill(worker, None).is_err() }).await;
    until("the wish is forgotten", || async { !wish(&place, &id).exists() }).await;
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled), "again");
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Cancelled);
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled), "after a restart");
}

#[tokio::test]
async fn a_worker_that_does_not_listen_is_killed() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = spinning(&jobs).await;
    kill(worker_of(&id).unwrap(), Signal::SIGSTOP).unwrap();
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled));
    assert_eq!(worker_of(&id), None);
}

#[tokio::test]
async fn a_job_that_waits_is_ended_without_a_worker() {
    let place = Place::new();
    let jobs = Jobs::open(place.config(), no_code()).await.unwrap();
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled));
    assert_eq!(records(&place.file_of(&id), 3), 0);
    until("the wish is forgotten", || async { !wish(&place, &id).exists() }).await;
}

#[tokio::test]
async fn a_result_that_is_there_stays_the_result() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("add", &[2, 2])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(4)));
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Finished(Value::Int(4))));
    until("the wish is forgotten", || async { !wish(&place, &id).exists() }).await;
}

#[tokio::test]
async fn whoever_is_first_a_job_that_ends_while_it_is_cancelled_has_one_end() {
    let place = Place::new();
    let jobs = place.open().await;
    let mut ends = Vec::new();
    for number in 0..20 {
        let id = jobs.submit(submission("add", &[number, 1])).await.unwrap();
        // Cancelled ever later on its way to the result.
        tokio::time::sleep(std::time::Duration::from_micros(300) * u32::try_from(number).unwrap()).await;
        let ended = cancel(&jobs, &id).await.unwrap();
        assert!(
            matches!(ended, JobState::Cancelled) || ended == JobState::Finished(Value::Int(number + 1)),
            "{ended:?}"
        );
        until("the wish is forgotten", || async { !wish(&place, &id).exists() }).await;
        ends.push((id, ended));
    }
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    for (id, ended) in ends {
        assert_eq!(end(&jobs, &id).await, ended);
    }
}

#[tokio::test]
async fn an_id_that_nobody_submitted_is_taken_and_one_of_somebody_else_is_left_alone() {
    let place = Place::new();
    let jobs = place.open().await;
    let late = submission("add", &[1, 2]);
    let id = late.id.clone().unwrap();
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled));
    assert_eq!(cancel(&jobs, &id).await, Some(JobState::Cancelled));
    assert!(matches!(jobs.submit(late.clone()).await, Err(SubmitError::Cancelled { .. })));

    let running = spinning(&jobs).await;
    assert_eq!(jobs.cancel(&running, "eve").await.unwrap(), None);
    assert_eq!(status(&jobs, &running).await.unwrap().state, JobState::Running);
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    assert!(matches!(jobs.submit(late).await, Err(SubmitError::Cancelled { .. })), "also after a restart");
    assert_eq!(cancel(&jobs, &running).await, Some(JobState::Cancelled), "whose worker an earlier daemon made");
}

/// Tells the process that [`a_daemon`] runs in where to work.
const FOLDER: &str = "FUNC_TEST_CANCEL_FOLDER";

/// Not a test of its own: the daemon that other tests kill.
#[tokio::test]
#[ignore = "run by other tests in a process of its own"]
async fn a_daemon() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let jobs = Jobs::open(config_in(&folder), compiled()).await.unwrap();
    let id = spinning(&jobs).await;
    fs::write(folder.join("running.new"), id.as_str()).unwrap();
    fs::rename(folder.join("running.new"), folder.join("running")).unwrap();
    std::future::pending::<()>().await;
}

/// A daemon that has ended at once, and its job, which runs.
async fn left_by_a_daemon(folder: &Path) -> MinionJobId {
    Module::get();
    let mut daemon: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_cancelled_job_is_gone::a_daemon", "--ignored"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let running = || fs::read_to_string(folder.join("running")).ok();
    until("the daemon's job runs", || async { running().is_some() }).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    running().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_daemon_that_is_started_after_the_wish_was_written_goes_on() {
    let place = Place::new();
    let id = left_by_a_daemon(place.path()).await;
    fs::write(wish(&place, &id), "").unwrap();
    let worker = worker_of(&id).unwrap();
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Cancelled);
    until("the worker is gone", || async { kill(worker, None).is_err() }).await;
    until("the wish is forgotten", || async { !wish(&place, &id).exists() }).await;
}

#[tokio::test]
async fn a_worker_that_died_after_the_wish_was_written_was_cancelled_and_not_lost() {
    let place = Place::new();
    let id = left_by_a_daemon(place.path()).await;
    fs::write(wish(&place, &id), "").unwrap();
    kill_at_once(worker_of(&id).unwrap());
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Cancelled);
}

#[tokio::test]
async fn a_wish_beside_a_job_that_never_began_keeps_it_from_being_spawned() {
    let place = Place::new();
    let jobs = Jobs::open(place.config(), no_code()).await.unwrap();
    let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    jobs.shutdown().await;
    drop(jobs);
    fs::write(wish(&place, &id), "").unwrap();
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Cancelled);
    assert_eq!(records(&place.file_of(&id), 3), 0);
}

#[tokio::test]
async fn a_wish_beside_an_end_or_alone_changes_nothing_and_goes() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("add", &[2, 3])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(5)));
    jobs.shutdown().await;
    drop(jobs);
    let alone = MinionJobId::fresh();
    fs::write(wish(&place, &id), "").unwrap();
    fs::write(wish(&place, &alone), "").unwrap();
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(5)));
    until("they are forgotten", || async { !wish(&place, &id).exists() && !wish(&place, &alone).exists() }).await;
}

#[test]
fn what_a_job_has_started_ends_with_it_wherever_it_went() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "[grants.rogue]\nrun = [\"sh\"]\n", &[&guest("rogue")]);
    // One in the foreground, one in the background, one that left its session and its parents.
    let times = ["86017.25", "86018.25", "86019.25"];
    let [front, back, away] = times;
    let script = format!("(setsid sh -c 'trap \"\" TERM; sleep {away} & wait' &) ; sleep {back} & sleep {front}");
    let args = vec!["sh".into(), Value::Array(vec!["-c".into(), script.into()])];
    let Outcome::Ok(job) = fleet.ask("m1", "async.rogue.run", args) else { panic!("not accepted") };
    crate::harness::until("all of them run", || times.iter().all(|time| !with_word(time).is_empty()).then_some(()));

    let Outcome::Ok(Value::Array(answer)) = fleet.ask("m1", "jobs.cancel", vec![job]) else { panic!("not cancelled") };
    assert_eq!(answer[0], Value::Int(1));
    assert_eq!(RemoteError::from_value(&answer[1]).unwrap().kind, "Cancelled");
    for time in times {
        assert_eq!(with_word(time), [], "{time}");
    }
}
