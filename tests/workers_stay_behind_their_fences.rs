//! A worker has given up what its call does not need before any guest code runs, and whoever was granted more still can
//! use it.

use std::fs;

use func::{
    ids::MinionJobId,
    jobs::{Jobs, JobsConfig, Submission},
};
use nix::unistd::{Pid, Uid};

use crate::{
    harness::{Fleet, cannot, direct::grant, guest},
    jobs::{Place, in_the_guest, submission, worker_of},
};

/// What the kernel says of a process.
fn status(pid: Pid, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

async fn spinning(jobs: &Jobs, grants: &str) -> (MinionJobId, Pid) {
    let id = jobs.submit(Submission { grant: grant(grants), ..submission("spin", &[]) }).await.unwrap();
    in_the_guest(jobs, &id).await;
    let worker = worker_of(&id).unwrap();
    (id, worker)
}

async fn open(place: &Place) -> Jobs {
    place.open_with(JobsConfig { state: Some(place.path().join("state")), ..place.config() }).await
}

#[tokio::test]
async fn a_worker_that_runs_nothing_has_given_up_almost_everything() {
    let place = Place::new();
    let jobs = open(&place).await;
    let (id, worker) = spinning(&jobs, "read = [\"/etc/hostname\"]").await;
    assert_eq!(status(worker, "NoNewPrivs"), "1");
    assert_eq!(status(worker, "Seccomp"), "2", "a filter of system calls");
    let fork_server = place.fork_server().unwrap();
    assert_eq!(status(fork_server, "Seccomp"), "2", "who makes the workers of such calls has given up the same");
    assert_eq!(status(fork_server, "CapBnd"), status(worker, "CapBnd"));
    if Uid::effective().is_root() {
        let capabilities = u64::from_str_radix(&status(worker, "CapEff"), 16).unwrap();
        assert_eq!(capabilities, 0b1_1111, "files of others, and nothing else");
        assert_eq!(status(worker, "CapBnd"), status(worker, "CapEff"));
    }
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    assert!(
        limits.lines().any(|line| line.starts_with("Max core file size        0                    0 ")),
        "{limits}"
    );
    assert_eq!(nix::unistd::getpgid(Some(worker)).unwrap(), nix::unistd::getsid(Some(worker)).unwrap());
    assert_ne!(nix::unistd::getpgid(Some(worker)).unwrap(), nix::unistd::getpgrp());
    // Landlock is not told in /proc.
    jobs.cancel(&id, "alice").await.unwrap();
    jobs.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_may_run_programs_can() {
    let place = Place::new();
    let jobs = open(&place).await;
    let (id, worker) = spinning(&jobs, "run = [\"sudo\"]").await;
    assert_eq!((status(worker, "NoNewPrivs"), status(worker, "Seccomp")), ("0".to_owned(), "0".to_owned()));
    assert_eq!(status(worker, "CapEff"), status(Pid::this(), "CapEff"));
    jobs.cancel(&id, "alice").await.unwrap();
    let (id, worker) = spinning(&jobs, "services-read = [\"*\"]").await;
    assert_eq!((status(worker, "NoNewPrivs"), status(worker, "Seccomp")), ("1".to_owned(), "0".to_owned()));
    jobs.cancel(&id, "alice").await.unwrap();
    jobs.shutdown().await;
}

#[test]
fn what_is_granted_works_behind_the_fences() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().canonicalize().unwrap().join(name).display().to_string();
    for name in ["read", "write", "secret"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(&format!("{name}/file")), name).unwrap();
    }
    let extra = format!(
        "[grants.rogue]\nread = [\"{0}/read/*\", \"{0}/write/one\"]\nwrite = [\"{0}/write/one\", \"{0}/write/deep/**\"]\n",
        at("").trim_end_matches('/')
    );
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", &extra, &[&guest("rogue")]);
    let job = |method: &str, args: &[&str]| {
        let params = args.iter().map(|arg| func::wire::Value::from(*arg)).collect();
        fleet.ask_as_job("web1", method, params)
    };
    let said = |method: &str, args: &[&str]| format!("{:?}", job(method, args));
    assert!(said("rogue.read", &[&at("read/file")]).contains("\"read\""));
    for text in ["once", "twice"] {
        // The second replaces a file that the first made.
        assert!(
            said("rogue.write", &[&at("write/one"), text]).starts_with("Ok"),
            "{}",
            said("rogue.write", &[&at("write/one"), text])
        );
        assert!(said("rogue.read", &[&at("write/one")]).contains(text));
    }
    let denied = said("rogue.read", &[&at("secret/file")]);
    assert!(denied.contains("denied"), "the grant is held against it before any fence: {denied}");
    let log = fleet.minion("web1").log();
    assert!(log.contains("fences"), "{log}");
    if !log.contains("landlock ABI") {
        cannot("what_is_granted_works_behind_the_fences", "the kernel has no landlock, so only the grants were tried");
    }
}
