//! On a hierarchy that the test mounts itself, in a view of the mounts of its own.

use std::process::{Child, Command};

use super::*;
use crate::sys::{double_fork::born_in, skip::cannot};

/// Tells a process that it is the one with mounts of its own.
const INSIDE: &str = "FUNC_TEST_CGROUP";
const ENTER: &str = "mount -t cgroup2 none \"$FUNC_TEST_CGROUP\" && exec \"$@\"";

/// Runs `test` again in a process of its own that has a hierarchy. There, the group to work in.
fn hierarchy(test: &str) -> Option<Group> {
    if let Some(mounted) = std::env::var_os(INSIDE) {
        let group = Path::new(&mounted).join(format!("func-test-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        return Some(Group(group));
    }
    let folder = tempfile::tempdir().unwrap();
    let enter = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER, "sh"]).args(words).env(INSIDE, folder.path());
        command.output().unwrap()
    };
    if !enter(&["true"]).status.success() {
        cannot(test, "mounting a hierarchy of control groups takes root, and a kernel that lets it");
        return None;
    }
    let own = std::env::current_exe().unwrap();
    let test = format!("sys::cgroup::tests::{test}");
    let again = enter(&[own.to_str().unwrap(), "--exact", &test, "--test-threads", "1", "--nocapture"]);
    let said = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
    None
}

/// A group that is removed with all below it.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        for name in names_below(&self.0, Duration::ZERO).unwrap_or_default() {
            let leaf = Leaf::of(&self.0, &name);
            let _ = leaf.end(Duration::from_secs(5)).and_then(|_| leaf.remove());
        }
        let _ = fs::remove_dir(&self.0);
    }
}

impl Group {
    /// A process that was put into one of its groups.
    fn sleeping(&self, name: &str) -> Child {
        let file = self.0.join(name).join("cgroup.procs");
        let script = format!("echo $$ > {} && exec sleep 600", file.display());
        let child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        let begun = Instant::now();
        while !fs::read_to_string(&file).unwrap().lines().any(|pid| pid == child.id().to_string()) {
            assert!(begun.elapsed() < Duration::from_secs(20));
            thread::sleep(PAUSE);
        }
        child
    }
}

#[test]
fn whoever_is_in_a_group_ends_with_it_and_nobody_else() {
    let Some(group) = hierarchy("whoever_is_in_a_group_ends_with_it_and_nobody_else") else { return };
    let leaf = Leaf::of(&group.0, "job-1");
    let other = Leaf::of(&group.0, "job-2");
    assert!(leaf.end(Duration::ZERO).unwrap() && leaf.remove().unwrap(), "one that is not there");
    leaf.make(Bounds::default()).unwrap();
    leaf.make(Bounds::default()).unwrap();
    other.make(Bounds::default()).unwrap();
    let (mut inside, mut outside) = (group.sleeping("job-1"), group.sleeping("job-2"));
    assert!(!leaf.remove().unwrap());
    // A child that nobody waits for is gone all the same: a zombie is in no group.
    assert!(leaf.end(Duration::from_secs(20)).unwrap());
    assert!(leaf.remove().unwrap() && !leaf.exists());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&inside.wait().unwrap()), Some(9));
    assert!(outside.try_wait().unwrap().is_none());
    assert_eq!(names_below(&group.0, Duration::ZERO).unwrap(), ["job-2"]);
    assert_eq!(names_below(&group.0, Duration::from_mins(10)).unwrap(), [""; 0]);
    other.end(Duration::from_secs(20)).unwrap();
    outside.wait().unwrap();
}

#[test]
fn a_worker_is_born_in_its_group() {
    let Some(group) = hierarchy("a_worker_is_born_in_its_group") else { return };
    let leaf = Leaf::of(&group.0, "job-1");
    let nursery = leaf.make(Bounds::default()).unwrap();
    let told = group.0.join("job-1/cgroup.procs");
    let sleeps = || {
        thread::sleep(Duration::from_mins(10));
        0
    };
    born_in(nursery.as_fd(), sleeps).unwrap();
    let pids = fs::read_to_string(told).unwrap();
    assert_eq!(pids.lines().count(), 1, "the worker, and nobody between");
    assert!(leaf.end(Duration::from_secs(20)).unwrap());
}

#[test]
fn only_what_was_delegated_is_found() {
    let Some(group) = hierarchy("only_what_was_delegated_is_found") else { return };
    fs::create_dir(group.0.join("daemon")).unwrap();
    let mut child = group.sleeping("daemon");
    let found = || Delegated::to_process(child.id());
    assert!(matches!(found(), Err(Missing::NotDelegated(path)) if path.ends_with("/daemon")), "{:?}", found());
    let set = |path: &Path| {
        let set = Command::new("python3")
            .args(["-c", "import os, sys; os.setxattr(sys.argv[1], 'user.delegate', b'1')"])
            .arg(path)
            .status();
        set.is_ok_and(|status| status.success())
    };
    if set(&group.0) {
        let delegated = found().unwrap();
        // The machine may have it mounted elsewhere, too.
        assert_eq!(delegated.group().file_name(), group.0.file_name());
        // Both or neither: whether the kernel has the controllers here is the machine's affair.
        let wanted = Bounds { memory: Some(1 << 30), processes: Some(100) };
        let holds = delegated.hand_down(wanted);
        let there = fs::read_to_string(group.0.join("cgroup.controllers")).unwrap();
        assert_eq!(
            (holds.memory.is_some(), holds.processes.is_some()),
            (there.contains("memory"), there.contains("pids"))
        );
        if holds == wanted {
            Leaf::of(&group.0, "job-1").make(holds).unwrap();
            assert_eq!(fs::read_to_string(group.0.join("job-1/pids.max")).unwrap().trim(), "100");
        } else {
            cannot("only_what_was_delegated_is_found", "the controllers for bounds are elsewhere (version 1)");
        }
    } else {
        cannot("only_what_was_delegated_is_found", "python3 is missing, or the kernel takes no marks on groups");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
