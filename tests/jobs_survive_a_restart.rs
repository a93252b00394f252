//! Whoever dies, the job's state is known: the daemon, the worker, the fork server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use func::{
    ids::MinionJobId,
    jobs::{JobState, Submission},
    wire::Value,
};

use crate::jobs::{
    Module, Place, code, compiled, config_in, end, in_the_guest, kill_at_once, no_code, status, submission, until,
    worker_of,
};

/// Tells the process that [`a_daemon`] runs in what to do.
const FOLDER: &str = "FUNC_TEST_JOBS_FOLDER";
const HOLD_MS: &str = "FUNC_TEST_HOLD_MS";

/// Not a test of its own: the daemon that other tests kill.
#[tokio::test]
#[ignore = "run by other tests in a process of its own"]
async fn a_daemon() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let jobs = func::jobs::Jobs::open(config_in(&folder), compiled()).await.unwrap();
    let hold = std::env::var(HOLD_MS).unwrap().parse().unwrap();
    let id = jobs.submit(submission("hold", &[hold])).await.unwrap();
    in_the_guest(&jobs, &id).await;
    fs::write(folder.join("running.new"), id.as_str()).unwrap();
    fs::rename(folder.join("running.new"), folder.join("running")).unwrap();
    std::future::pending::<()>().await;
}

/// A daemon in a process of its own, and its job, which is running.
async fn daemon_with_a_job(folder: &Path, hold: Duration) -> (Child, MinionJobId) {
    Module::get();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "jobs_survive_a_restart::a_daemon", "--ignored"])
        .env(FOLDER, folder)
        .env(HOLD_MS, hold.as_millis().to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let running = || fs::read_to_string(folder.join("running")).ok();
    until("the daemon's job runs", || async { running().is_some() }).await;
    (child, running().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_killed_daemon_leaves_its_worker_running_and_the_next_one_reports_the_result() {
    let place = Place::new();
    let (mut daemon, id) = daemon_with_a_job(place.path(), Duration::from_millis(1500)).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let jobs = place.reopen().await;
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running);
    assert!(worker_of(&id).is_some(), "the worker lives");
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(1500)));
    assert_eq!(jobs.tail_output(&id, "alice").await.unwrap().unwrap().0, "in the guest\n");
}

#[tokio::test]
async fn a_worker_killed_while_no_daemon_ran_is_lost() {
    let place = Place::new();
    let (mut daemon, id) = daemon_with_a_job(place.path(), Duration::from_mins(10)).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    kill_at_once(worker_of(&id).unwrap());
    let jobs = place.reopen().await;
    let JobState::Lost { why } = end(&jobs, &id).await else { panic!("it must be lost") };
    assert!(why.contains("without recording a result"), "{why}");
}

#[tokio::test]
async fn a_worker_killed_after_a_restart_is_lost_and_never_running_for_ever() {
    let place = Place::new();
    let (mut daemon, id) = daemon_with_a_job(place.path(), Duration::from_mins(10)).await;
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let jobs = place.reopen().await;
    assert_eq!(status(&jobs, &id).await.unwrap().state, JobState::Running);
    kill_at_once(worker_of(&id).unwrap());
    assert!(matches!(end(&jobs, &id).await, JobState::Lost { .. }));
}

#[tokio::test]
async fn a_killed_worker_is_lost_and_stays_so() {
    let place = Place::new();
    let jobs = place.open().await;
    let call = submission("hold", &[600_000]);
    let id = jobs.submit(call.clone()).await.unwrap();
    in_the_guest(&jobs, &id).await;
    kill_at_once(worker_of(&id).unwrap());
    assert!(matches!(end(&jobs, &id).await, JobState::Lost { .. }));
    jobs.shutdown().await;
    drop(jobs);
    let jobs = place.reopen().await;
    assert!(matches!(end(&jobs, &id).await, JobState::Lost { .. }), "it was recorded");
    assert_eq!(jobs.submit(call).await.unwrap(), id, "it is not run again");
    assert!(matches!(status(&jobs, &id).await.unwrap().state, JobState::Lost { .. }));
}

#[tokio::test]
async fn a_killed_fork_server_costs_no_job() {
    let place = Place::new();
    let jobs = place.open().await;
    let before = jobs.submit(submission("hold", &[300])).await.unwrap();
    in_the_guest(&jobs, &before).await;
    let killed = place.fork_server().unwrap();
    kill_at_once(killed);
    let after = jobs.submit(submission("add", &[2, 3])).await.unwrap();
    assert_eq!(end(&jobs, &after).await, JobState::Finished(Value::Int(5)));
    assert_eq!(end(&jobs, &before).await, JobState::Finished(Value::Int(300)));
    assert_ne!(place.fork_server(), Some(killed));
}

#[tokio::test]
async fn however_often_the_fork_server_is_killed_no_job_runs_twice() {
    let place = Place::new();
    let jobs = place.open().await;
    let (mut ids, mut killed) = (Vec::new(), Vec::new());
    for round in 0..4 {
        for number in 0..10 {
            ids.push(jobs.submit(submission("add", &[round, number])).await.unwrap());
        }
        // Wherever it is: with requests in its queue, between its two forks, or idle.
        killed.push(place.ready_fork_server().await);
        kill_at_once(killed[killed.len() - 1]);
    }
    let mut finished = 0;
    for id in ids {
        let ended = end(&jobs, &id).await;
        let begins = jobs.tail_output(&id, "alice").await.unwrap().unwrap().0.lines().count();
        match ended {
            JobState::Finished(_) => {
                assert_eq!(begins, 1);
                finished += 1;
            }
            JobState::Lost { why } => assert!(begins <= 1, "{why}"),
            other => panic!("{other:?}"),
        }
    }
    // Each kill can cost the one job that was being begun an attempt, and a job has three.
    assert!(finished >= 39, "only {finished} of 40 finished");
    killed.dedup();
    assert_eq!(killed.len(), 4, "each time another one was killed");
}

#[tokio::test]
async fn a_job_that_cannot_be_read_at_the_start_is_read_later() {
    let place = Place::new();
    let jobs = func::jobs::Jobs::open(place.config(), no_code()).await.unwrap();
    let call = submission("add", &[2, 2]);
    let id = jobs.submit(call.clone()).await.unwrap();
    jobs.shutdown().await;
    drop(jobs);
    let (file, away) = (place.file_of(&id), place.path().join("away"));
    fs::rename(&file, &away).unwrap();
    // A link to itself: opening it fails, whoever asks.
    std::os::unix::fs::symlink(&file, &file).unwrap();

    let jobs = place.reopen().await;
    let unread = jobs.status(&id, "alice").await.unwrap_err();
    assert!(matches!(unread, func::jobs::Error::Unread { .. }), "{unread}");
    let busy = jobs.submit(call.clone()).await.unwrap_err();
    assert!(matches!(busy, func::jobs::SubmitError::Unread { .. }), "{busy}");
    fs::rename(&away, &file).unwrap();
    until("it is read", || async { jobs.status(&id, "alice").await.is_ok() }).await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(4)));
    assert_eq!(jobs.submit(call).await.unwrap(), id);
}

#[tokio::test]
async fn the_fork_server_is_replaced_after_many_reloads_and_costs_no_job() {
    const VERSIONS: usize = 310;
    let place = Place::new();
    // The same code under ever new paths, as after so many reloads.
    let name = Module::get().compiled.file_name().unwrap();
    let versions = place.path().join("versions");
    let next = std::sync::atomic::AtomicUsize::new(0);
    let reloaded = code(move |_| {
        let folder = versions.join(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
        fs::create_dir_all(&folder).ok()?;
        fs::hard_link(&Module::get().compiled, folder.join(name)).ok()?;
        Some(folder.join(name))
    });
    let jobs = func::jobs::Jobs::open(place.config(), reloaded).await.unwrap();
    let run = async |number: i64| {
        let id = jobs.submit(submission("add", &[number, 1])).await.unwrap();
        assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(number + 1)));
    };
    run(0).await;
    let first = place.fork_server();
    futures_util::future::join_all((1..i64::try_from(VERSIONS).unwrap()).map(run)).await;
    assert_ne!(place.fork_server(), first);
}

#[tokio::test]
async fn a_stopped_daemon_leaves_its_workers_alone_and_its_fork_server_ends() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("hold", &[1000])).await.unwrap();
    in_the_guest(&jobs, &id).await;
    let fork_server = place.fork_server().unwrap();
    jobs.shutdown().await;
    let refused = jobs.submit(submission("add", &[1, 1])).await.unwrap_err();
    assert!(matches!(refused, func::jobs::SubmitError::ShuttingDown), "{refused}");
    drop(jobs);
    until("the fork server ends", || async { nix::sys::signal::kill(fork_server, None).is_err() }).await;
    assert!(worker_of(&id).is_some());
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::Finished(Value::Int(1000)));
}

#[tokio::test]
async fn the_deadline_counts_from_acceptance_also_over_a_restart() {
    let place = Place::new();
    let jobs = func::jobs::Jobs::open(place.config(), no_code()).await.unwrap();
    let deadline = Duration::from_millis(50);
    let id = jobs.submit(Submission { deadline, ..submission("add", &[1, 1]) }).await.unwrap();
    jobs.shutdown().await;
    drop(jobs);
    tokio::time::sleep(deadline).await;
    let jobs = place.reopen().await;
    assert_eq!(end(&jobs, &id).await, JobState::TimedOut { after: deadline });
}
