//! The unit that `funcd --print-unit` prints is one that systemd takes, and that forbids no module its work.

use std::{fs, process::Command};

use crate::harness::skip;

fn printed() -> String {
    let printed = Command::new(env!("CARGO_BIN_EXE_funcd")).arg("--print-unit").output().unwrap();
    assert!(printed.status.success());
    String::from_utf8(printed.stdout).unwrap()
}

#[test]
fn systemd_has_nothing_to_say_against_it() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return skip("systemd_has_nothing_to_say_against_it", "systemd-analyze is missing (package `systemd`)");
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("funcd.service");
    // The program need not be installed for the unit to be judged.
    fs::write(&unit, printed().replace("/usr/bin/funcd", env!("CARGO_BIN_EXE_funcd"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["--man=no", "verify"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("funcd.service")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn jobs_outlive_the_daemon_and_the_fences_are_those_of_the_configuration() {
    let unit = printed();
    for line in ["KillMode=process", "OOMPolicy=continue", "Type=notify", "Delegate=yes"] {
        assert!(unit.lines().any(|written| written == line), "{line}");
    }
    let bounding = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=~")).unwrap();
    let dropped = func::minion::Fences::default().drop;
    let names: Vec<_> = dropped.iter().map(ToString::to_string).collect();
    assert_eq!(bounding.split(' ').collect::<Vec<_>>(), names);
    for hindrance in ["NoNewPrivileges=yes", "ProtectSystem=", "MemoryDenyWriteExecute=yes", "PrivateNetwork=yes"] {
        assert!(!unit.lines().any(|line| line.starts_with(hindrance)), "{hindrance}");
    }
}
