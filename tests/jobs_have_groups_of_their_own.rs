//! Where the minion may divide its control group, whoever belongs to a cancelled job ends with it, also who belongs to
//! nobody any more; and what a finished job leaves running goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use func::{fleet::Outcome, wire::Value};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::harness::{Fleet, Minion, cannot, guest, secluded, until, with_word};

const RUN: &str = "[grants.rogue]\nrun = [\"sh\"]\n";

/// A group, as systemd would delegate it, on a hierarchy that is mounted for this test.
struct Delegated(PathBuf);

impl Delegated {
    fn new(name: &str, mount: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "cgroup2", "none"]).arg(mount).status();
        if !mounted.is_ok_and(|status| status.success()) {
            cannot(name, "control groups (version 2) cannot be mounted here");
            return None;
        }
        let group = mount.join(format!("func-test-{}", std::process::id()));
        fs::create_dir_all(group.join("daemon")).unwrap();
        let mark = "import os, sys; os.setxattr(sys.argv[1], 'user.delegate', b'1')";
        let marked = Command::new("python3").args(["-c", mark]).arg(&group).status();
        let group = Self(group);
        if !marked.is_ok_and(|status| status.success()) {
            cannot(name, "python3 is missing, or the kernel takes no marks on groups");
            return None;
        }
        Some(group)
    }

    /// Adds a minion that its supervisor starts in here.
    fn add<'a>(&self, fleet: &'a mut Fleet, name: &str, extra: &str) -> &'a mut Minion {
        let script = "echo $$ > \"$0/daemon/cgroup.procs\" && exec \"$1\" minion";
        let words = ["-c", script, &self.0.display().to_string(), env!("CARGO_BIN_EXE_func")].map(str::to_owned);
        let words: Vec<&'static str> = words.into_iter().map(|word| &*word.leak()).collect();
        fleet.add_as("sh", words.leak(), name, extra, &[&guest("rogue")])
    }

    fn of(&self, job: &str) -> PathBuf {
        self.0.join(format!("job-{job}"))
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                let _ = fs::write(entry.path().join("cgroup.kill"), "1");
                for _ in 0..1000 {
                    if fs::remove_dir(entry.path()).is_ok() {
                        break;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
        }
        let _ = fs::remove_dir(&self.0);
    }
}

/// Begins a job that runs a script of the shell; its id.
fn begin(fleet: &Fleet, minion: &str, script: &str) -> String {
    let args = vec!["sh".into(), Value::Array(vec!["-c".into(), script.into()])];
    match fleet.ask(minion, "async.rogue.run", args) {
        Outcome::Ok(Value::String(id)) => id,
        other => panic!("not accepted: {other:?}"),
    }
}

/// A time to sleep that no other run of these tests takes.
fn time(number: u32) -> String {
    format!("{number}.{}", std::process::id())
}

fn runs(word: &str) -> Pid {
    until(word, || with_word(word).first().copied())
}

/// One program in the foreground, and one that has left its session and its parents.
fn script(front: &str, away: &str) -> String {
    format!("(setsid sh -c 'trap \"\" TERM; sleep {away} & wait' &) ; sleep {front}")
}

#[test]
fn whoever_left_the_family_of_a_cancelled_job_ends_with_it() {
    const NAME: &str = "whoever_left_the_family_of_a_cancelled_job_ends_with_it";
    if !secluded(module_path!(), NAME) {
        return;
    }
    let mut fleet = Fleet::empty();
    let mount = tempfile::tempdir().unwrap();
    let Some(group) = Delegated::new(NAME, mount.path()) else { return };
    // Behind a fence around what it writes, it divides its group all the same.
    group.add(&mut fleet, "divides", &format!("{RUN}[fences]\nwrite = [\"/tmp\"]\n"));
    fleet.add_with("does-not", RUN, &[&guest("rogue")]);
    assert!(fleet.minion("divides").log().contains("one for each job"), "{}", fleet.minion("divides").log());
    assert!(fleet.minion("does-not").log().contains("not delegated"));

    for (minion, times, ends) in [("divides", [86101, 86102], true), ("does-not", [86103, 86104], false)] {
        let words = times.map(time);
        let job = begin(&fleet, minion, &script(&words[0], &words[1]));
        let (front, orphan) = (runs(&words[0]), runs(&words[1]));
        assert_eq!(group.of(&job).exists(), ends);
        if ends {
            let mine = fs::read_to_string(format!("/proc/{orphan}/cgroup")).unwrap();
            assert!(mine.lines().any(|line| line.ends_with(&format!("/job-{job}"))), "{mine}");
        }
        // The daemon ends with the wish to cancel written, and so does the worker: now nobody's parent is ours.
        let worker = fleet.minion(minion).worker(&job).unwrap();
        fleet.minion(minion).kill();
        fs::write(fleet.folder().join(minion).join(format!("jobs/{job}.cancel")), "").unwrap();
        kill(worker, Signal::SIGKILL).unwrap();
        let alive = |pid: Pid| kill(pid, None).is_ok();
        assert!(alive(front) && alive(orphan));
        fleet.minion(minion).launch();
        let status = fleet.ask(minion, "jobs.wait", vec![job.as_str().into(), 10.into()]);
        assert!(format!("{status:?}").contains("Cancelled"), "{status:?}");
        if ends {
            until("both are gone", || (!alive(front) && !alive(orphan)).then_some(()));
            until("the group is gone", || (!group.of(&job).exists()).then_some(()));
        } else {
            assert!(alive(front) && alive(orphan), "the family is all that is known of them");
            let left = words.iter().flat_map(|word| with_word(word));
            left.for_each(|pid| assert!(kill(pid, Signal::SIGKILL).is_ok()));
        }
    }
}

#[test]
fn a_worker_that_does_not_listen_ends_with_its_group_and_what_a_finished_job_leaves_goes_on() {
    const NAME: &str = "a_worker_that_does_not_listen_ends_with_its_group_and_what_a_finished_job_leaves_goes_on";
    if !secluded(module_path!(), NAME) {
        return;
    }
    let mut fleet = Fleet::empty();
    let mount = tempfile::tempdir().unwrap();
    let Some(group) = Delegated::new(NAME, mount.path()) else { return };
    group.add(&mut fleet, "m1", &format!("{RUN}[jobs]\nmemory = \"1GiB\"\n"));
    let told = fleet.command(["doctor", "--json"]).env("FUNC_HOME", fleet.folder().join("m1")).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("control groups one for each job"), "{told}");
    // Whether a bound holds is the machine's affair: its controllers may be of version 1.
    let bounded = fs::read_to_string(group.0.join("cgroup.controllers")).unwrap().contains("memory");
    assert_ne!(told.contains("`memory` in [jobs] does not hold"), bounded, "{told}");
    let job = begin(&fleet, "m1", &script(&time(86105), &time(86106)));
    let (front, orphan) = (runs(&time(86105)), runs(&time(86106)));
    kill(fleet.minion("m1").worker(&job).unwrap(), Signal::SIGSTOP).unwrap();
    let cancelled = fleet.ask("m1", "jobs.cancel", vec![job.as_str().into()]);
    assert!(format!("{cancelled:?}").contains("Cancelled"), "{cancelled:?}");
    assert!(!group.of(&job).exists());
    until("both are reaped", || (kill(front, None).is_err() && kill(orphan, None).is_err()).then_some(()));

    let job = begin(&fleet, "m1", &format!("setsid sleep {} >/dev/null 2>&1 & exit 0", time(86107)));
    let ended = fleet.ask("m1", "jobs.wait", vec![job.as_str().into(), 10.into()]);
    assert!(matches!(&ended, Outcome::Ok(Value::Array(pair)) if pair[0] == Value::Int(1)), "{ended:?}");
    let service = runs(&time(86107));
    assert!(group.of(&job).exists());
    kill(service, Signal::SIGKILL).unwrap();
    until("it is gone", || kill(service, None).is_err().then_some(()));
    // Until it has been there for a while, it might be one that somebody is about to use.
    std::thread::sleep(std::time::Duration::from_secs(1));
    fleet.minion("m1").kill();
    fleet.minion("m1").launch();
    until("its group is gone", || (!group.of(&job).exists()).then_some(()));
}

#[test]
fn a_job_takes_no_more_memory_and_processes_than_it_may() {
    const NAME: &str = "a_job_takes_no_more_memory_and_processes_than_it_may";
    if !secluded(module_path!(), NAME) {
        return;
    }
    let mut fleet = Fleet::empty();
    let mount = tempfile::tempdir().unwrap();
    let Some(group) = Delegated::new(NAME, mount.path()) else { return };
    // Whose supervisor has not handed them down: the kernel refuses where they are not of this version.
    for controller in ["+memory", "+pids"] {
        let _ = fs::write(mount.path().join("cgroup.subtree_control"), controller);
    }
    let here = fs::read_to_string(group.0.join("cgroup.controllers")).unwrap();
    if !["memory", "pids"].iter().all(|wanted| here.split_ascii_whitespace().any(|one| one == *wanted)) {
        return cannot(NAME, "the controllers `memory` and `pids` are those of control groups of version 1 here");
    }
    group.add(&mut fleet, "m1", &format!("{RUN}[jobs]\nmemory = \"64MiB\"\nprocesses = 20\n"));
    let number = |job: &str, file: &str, key: &str| {
        let text = fs::read_to_string(group.of(job).join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse::<u64>().ok()
    };

    let many = begin(&fleet, "m1", &format!("for i in $(seq 40); do sleep {} & done; wait", time(86108)));
    until("a fork to be refused", || number(&many, "pids.events", "max").filter(|refused| *refused > 0));
    assert_eq!(number(&many, "pids.max", ""), Some(20));
    assert!(number(&many, "pids.current", "").unwrap() <= 20);

    let greedy = format!("head -c 300000000 /dev/zero | tail >/dev/null; sleep {}", time(86109));
    let greedy = begin(&fleet, "m1", &greedy);
    until("the bound to be met", || number(&greedy, "memory.events", "max").filter(|met| *met > 0));
    assert_eq!(number(&greedy, "memory.max", ""), Some(64 << 20));
    assert!(number(&greedy, "memory.current", "").unwrap() <= 64 << 20);
}
