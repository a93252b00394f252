//! What a job may use is bounded, and what it says is there for its owner.

use std::{fs, path::Path, time::Duration};

use func::{
    jobs::{JobState, Submission},
    plugin::Limits,
};

use crate::jobs::{Place, end, in_the_guest, kill_at_once, submission, worker_of};

#[tokio::test]
async fn a_job_ends_at_its_deadline_whether_it_computes_or_waits() {
    let place = Place::new();
    let jobs = place.open().await;
    let deadline = Duration::from_millis(300);
    for (method, args) in [("spin", &[][..]), ("hold", &[600_000])] {
        let id = jobs.submit(Submission { deadline, ..submission(method, args) }).await.unwrap();
        assert_eq!(end(&jobs, &id).await, JobState::TimedOut { after: deadline }, "{method}");
    }
}

#[tokio::test]
async fn a_trap_is_the_jobs_failure_and_its_trace_is_in_the_log() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("boom", &[])).await.unwrap();
    let JobState::Failed(failure) = end(&jobs, &id).await else { panic!("it must fail") };
    assert_eq!(failure.kind, "Trap");
    let (_, err) = jobs.tail_output(&id, "alice").await.unwrap().unwrap();
    assert!(err.contains("unreachable"), "{err}");
}

#[tokio::test]
async fn output_and_progress_are_there_while_the_job_runs() {
    let place = Place::new();
    let jobs = place.open().await;
    let id = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    in_the_guest(&jobs, &id).await;
    crate::jobs::until("progress", || async { jobs.progress(&id, "alice").await.unwrap() == Some((5, 10)) }).await;
    let piece = jobs.log(&id, "alice", 0).await.unwrap().unwrap();
    assert!(String::from_utf8(piece.bytes).unwrap().ends_with("info  in the guest\n"));
    assert!(!piece.ended);
    let still = jobs.wait(&id, "alice", Duration::from_millis(20)).await.unwrap().unwrap();
    assert_eq!(still.state, JobState::Running);
    kill_at_once(worker_of(&id).unwrap());
    end(&jobs, &id).await;
    assert!(jobs.log(&id, "alice", piece.next).await.unwrap().unwrap().ended);
}

#[tokio::test]
async fn a_talkative_job_fills_its_log_and_not_the_disk() {
    let place = Place::new();
    let jobs = place.open().await;
    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let id = jobs.submit(Submission { limits, ..submission("chatter", &[100_000]) }).await.unwrap();
    assert!(matches!(end(&jobs, &id).await, JobState::Finished(_)));
    let size = fs::metadata(place.file_of(&id)).unwrap().len();
    assert!(size < 30_000, "{size} bytes");
    let (out, err) = jobs.tail_output(&id, "alice").await.unwrap().unwrap();
    assert!(out.lines().count() == 50 && !err.is_empty());
}

#[tokio::test]
async fn a_worker_is_a_small_process_of_its_own_that_holds_nothing_of_the_daemon() {
    let place = Place::new();
    let jobs = place.open().await;
    // The pages of our program that only workers touch belong to the first worker alone, until there is a second.
    let first = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    let id = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    for id in [&first, &id] {
        in_the_guest(&jobs, id).await;
    }
    let worker = worker_of(&id).expect("it is named in ps");
    let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().to_owned()
    };
    assert_ne!(field("PPid:"), std::process::id().to_string());
    assert_ne!(field("PPid:"), place.fork_server().unwrap().to_string());
    assert_eq!(field("NoNewPrivs:"), "1");
    let private = func::sys::process::private_memory(u32::try_from(worker.as_raw()).unwrap()).unwrap();
    assert!(private < 1 << 20, "{private} bytes are private");
    // The standard streams, the journal, the pipe, its code, and what its own runtime needs.
    for entry in fs::read_dir(format!("/proc/{worker}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap().display().to_string();
        let expected = ["/dev/null", "pipe:", "anon_inode:", "socket:"].iter().any(|start| target.starts_with(start))
            || Path::new(&target).extension().is_some_and(|extension| extension == "cwasm")
            || target.contains(id.as_str());
        assert!(expected, "the worker holds {target}");
    }
    kill_at_once(worker);
    kill_at_once(worker_of(&first).unwrap());
}

#[tokio::test]
async fn a_job_whose_deadline_passes_while_it_waits_ends_then() {
    let place = Place::new();
    let jobs = place.open_with(func::jobs::JobsConfig { workers_max: 1, ..place.config() }).await;
    let holder = jobs.submit(submission("hold", &[600_000])).await.unwrap();
    in_the_guest(&jobs, &holder).await;
    let deadline = Duration::from_millis(50);
    let id = jobs.submit(Submission { deadline, ..submission("add", &[1, 1]) }).await.unwrap();
    let patient = jobs.submit(submission("add", &[1, 1])).await.unwrap();
    assert_eq!(end(&jobs, &id).await, JobState::TimedOut { after: deadline });
    assert!(!crate::jobs::status(&jobs, &patient).await.unwrap().state.has_ended());
    kill_at_once(worker_of(&holder).unwrap());
    assert_eq!(end(&jobs, &patient).await, JobState::Finished(2.into()));
}
