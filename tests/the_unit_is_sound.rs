//! The units that `funcd --print-unit` and `func daemon --print-unit` print are ones that systemd takes. The minion's forbids no
//! module its work; the overlord's gives up what an overlord does not need. Both daemons tell systemd how they are.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use std::{fs, process::Command};

use crate::harness::{Daemon, Fleet, skip};

const MINION: (&str, &str, &[&str]) = ("funcd.service", env!("CARGO_BIN_EXE_funcd"), &["--print-unit"]);
const OVERLORD: (&str, &str, &[&str]) =
    ("func-daemon.service", env!("CARGO_BIN_EXE_func"), &["daemon", "--print-unit"]);

fn printed((_, program, words): (&str, &str, &[&str])) -> String {
    let printed = Command::new(program).args(words).output().unwrap();
    assert!(printed.status.success());
    String::from_utf8(printed.stdout).unwrap()
}

/// Writes a unit into a folder, and answers what `systemd-analyze` says of it; nothing where that is missing.
fn analysed(which: (&str, &str, &[&str]), words: &[&str]) -> Option<(bool, String)> {
    Command::new("systemd-analyze").arg("--version").output().ok()?;
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join(which.0);
    let installed = if which.0 == MINION.0 { "/usr/bin/funcd" } else { "/usr/bin/func" };
    let text = printed(which);
    assert!(text.contains(installed));
    // The program need not be installed for the unit to be judged.
    fs::write(&unit, text.replace(installed, which.1)).unwrap();
    let output = Command::new("systemd-analyze").args(words).arg(&unit).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn systemd_has_nothing_to_say_against_them() {
    for which in [MINION, OVERLORD] {
        let Some((good, said)) = analysed(which, &["--man=no", "verify"]) else {
            return skip("systemd_has_nothing_to_say_against_them", "systemd-analyze is missing (package `systemd`)");
        };
        // That key is of systemd 254, and an older one says that it ignores it.
        let against = |line: &str| line.contains(which.0) && !line.contains("'DelegateSubgroup'");
        assert!(good && !said.lines().any(against), "{said}");
    }
}

#[test]
fn the_overlord_gives_up_what_it_does_not_need() {
    let unit = printed(OVERLORD);
    for line in ["Type=notify", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077"] {
        assert!(unit.lines().any(|written| written == line), "{line}");
    }
    // Systemd's own measure, from 0 to 100: below 30 it calls a unit OK.
    let words = ["--offline=yes", "--threshold=30", "security"];
    let Some((good, said)) = analysed(OVERLORD, &words) else {
        return skip("the_overlord_gives_up_what_it_does_not_need", "systemd-analyze is missing (package `systemd`)");
    };
    assert!(good, "{said}");
}

#[test]
fn the_overlord_tells_that_it_serves_lives_and_stops() {
    let fleet = Fleet::empty();
    let place = fleet.folder().join("notify");
    let supervisor = UnixDatagram::bind(&place).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let hear = |wanted: &str| {
        for _ in 0..1000 {
            let mut said = [0; 200];
            let length = supervisor.recv(&mut said).expect(wanted);
            if said[..length].starts_with(wanted.as_bytes()) {
                return;
            }
        }
        panic!("{wanted} was not said");
    };
    let mut command = fleet.command(["daemon"]);
    command.env("NOTIFY_SOCKET", &place).env("WATCHDOG_USEC", "100000");
    let mut daemon = Daemon::run(&mut command);
    hear("READY=1");
    (0..3).for_each(|_| hear("WATCHDOG=1"));
    let pid = nix::unistd::Pid::from_raw(daemon.process.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    hear("STOPPING=1");
    assert!(daemon.process.wait().unwrap().success());
}

#[test]
fn jobs_outlive_the_daemon_and_the_fences_are_those_of_the_configuration() {
    let unit = printed(MINION);
    for line in ["KillMode=process", "OOMPolicy=continue", "Type=notify", "Delegate=yes", "DelegateSubgroup=daemon"] {
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
