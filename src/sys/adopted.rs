//! Reaping processes that this one did not start.
//!
//! Whoever adopts orphans ([`family::adopt_orphans`]), and the first process of a container, becomes the parent of what
//! programs leave behind. Such a process stays in the table of processes when it has ended until its parent has asked for
//! its end, and nobody would: whoever starts a program waits for that one only.
//!
//! What this process started itself must be left to whoever waits for it. It is told apart by its group: a program that
//! [`contain`](super::contain) starts leads one of its own in our session, which no process in a session of its own, and
//! none that still is in the group of another, does. (A group of its own in our session is what a shell with job control
//! makes for a background job: such an orphan stays until we end.)

use std::{io, process, time::Duration};

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use super::family::{self, Process};

/// How long whoever waits for a program has to learn its end, before anybody looks for others that have ended.
const SETTLE: Duration = Duration::from_millis(100);

/// Reaps them as they end, for as long as this is waited for.
pub async fn reap_as_they_end() -> io::Result<()> {
    let mut ends = signal(SignalKind::child())?;
    // Those that have ended before anybody listened.
    reap()?;
    while ends.recv().await.is_some() {
        tokio::time::sleep(SETTLE).await;
        reap()?;
    }
    Ok(())
}

/// Reaps those that have ended, and says how many they were.
pub fn reap() -> io::Result<usize> {
    // Cheap, and mostly the answer.
    match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(0),
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let own = process::id();
    let session = family::look(own)?.session;
    let adopted = |pid: u32, process: &Process| process.group != pid || process.session != session;
    let ended = family::all()?.into_iter().filter(|(_, process)| process.parent == own && !process.lives);
    let ended = ended.filter(|(pid, process)| adopted(*pid, process)).filter_map(|(pid, _)| i32::try_from(pid).ok());
    Ok(ended.filter(|pid| waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG)).is_ok()).count())
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        thread,
        time::Instant,
    };

    use super::{super::contain::contain, *};

    const CHILD: &str = "FUNC_TEST_ADOPTED";

    /// Only in a process of its own nobody else has children.
    #[test]
    fn orphans_are_reaped_and_our_own_children_are_left_to_us() {
        if std::env::var_os(CHILD).is_none() {
            let test = "sys::adopted::tests::orphans_are_reaped_and_our_own_children_are_left_to_us";
            let mut again = Command::new(std::env::current_exe().unwrap());
            let again = again.args(["--exact", test]).env(CHILD, "1").output().unwrap();
            assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
            return;
        }
        assert_eq!(reap().unwrap(), 0);
        family::adopt_orphans().unwrap();
        let program = |script: &str| {
            let mut command = Command::new("sh");
            contain(command.args(["-c", script]).stdout(Stdio::null()));
            command.spawn().unwrap()
        };
        let mut own = program("exit 7");
        let mut parent = program("(sleep 0.01 & setsid sleep 0.01 &) &");
        assert!(parent.wait().unwrap().success());
        let begun = Instant::now();
        let mut reaped = 0;
        while reaped < 2 || family::look(own.id()).unwrap().lives {
            reaped += reap().unwrap();
            assert!(begun.elapsed() < Duration::from_secs(20), "{reaped} were reaped");
            thread::sleep(Duration::from_millis(5));
        }
        reap().unwrap();
        assert_eq!(own.wait().unwrap().code(), Some(7));
    }
}
