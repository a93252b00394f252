//! Tests that would change what the whole machine shares: its network, its files.

use std::{env, process::Command};

use super::cannot;

/// Set in the process that has a network and mounts of its own.
const INSIDE: &str = "FUNC_TESTS_SECLUDED";
/// A view of the network of its own, in which nothing but the loopback interface is.
const ENTER: &str = "mount -t sysfs sysfs /sys && ip link set dev lo up && exec \"$@\"";

/// Whether the caller, the test `name` of the module `place`, is where it can change network and mounts as it likes.
///
/// Where it is not, the test is run once more as a process of its own that is, and must pass there; then the caller
/// returns. Where the machine has no such place, that is said.
pub(crate) fn secluded(place: &str, name: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let (_, place) = place.split_once("::").unwrap();
    let test = format!("{place}::{name}");
    let enter = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", ENTER, "sh"]);
        command
    };
    if !enter().arg("true").output().is_ok_and(|output| output.status.success()) {
        cannot(name, "a network and mounts of its own take root, and a kernel that lets it");
        return false;
    }
    let own = env::current_exe().unwrap();
    let output = enter().arg(own).args(["--exact", &test, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    for line in said.lines().filter(|line| line.starts_with("skipped: ")) {
        cannot(name, line.trim_start_matches("skipped: ").trim_start_matches(name).trim_start_matches(": "));
    }
    false
}
