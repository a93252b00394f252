//! What a process may do, and what it weighs.

use std::{fs, io};

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigHandler, Signal, signal},
        stat::{Mode, umask},
    },
    unistd::setsid,
};

/// From here on no program that this process starts can gain privileges (set-user-id bits, file
/// capabilities): also not `sudo`, and there is no way back.
pub fn no_new_privileges() -> io::Result<()> {
    Ok(prctl::set_no_new_privs()?)
}

/// A crash of this process writes no core file, which would hold what the process was told in
/// confidence. Only the soft limit goes down, so a program that it starts may raise it again.
pub fn no_core_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    Ok(setrlimit(Resource::RLIMIT_CORE, 0, hard)?)
}

/// Begins a session of its own: a Ctrl-C or a hang-up of the terminal no longer reaches this process.
/// A process that already leads its group stays where it is.
pub fn leave_terminal() {
    let _ = setsid();
}

/// How children end is kept until somebody asks for it. Whoever started this process may have ignored SIGCHLD, which a
/// program inherits, and then nobody could be told how a program ended, or whether a fork came about.
pub fn keep_ends_of_children() -> io::Result<()> {
    // SAFETY: the usual disposition runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl)? };
    Ok(())
}

/// Files are made readable for all and writable for the owner, as programs expect that are started by
/// hand.
pub fn usual_umask() {
    umask(Mode::from_bits_truncate(0o022));
}

/// The bytes of memory that only this process has. Pages of a program's file count when no other process
/// has touched them: to learn what one more process of a kind costs, look while there are two.
pub fn private_memory(pid: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(sum_of_private(&rollup))
}

fn sum_of_private(rollup: &str) -> u64 {
    let kilobytes = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kilobytes).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: &str = "FUNC_TEST_PROCESS";

    /// Only a process of its own can begin with a disposition of our choice.
    #[test]
    fn how_a_child_ended_is_told_also_where_our_parent_did_not_care() {
        use std::process::Command;
        let told = || Command::new("sh").args(["-c", "exit 7"]).status().map(|status| status.code());
        if std::env::var_os(CHILD).is_none() {
            let test = "sys::process::tests::how_a_child_ended_is_told_also_where_our_parent_did_not_care";
            let careless = || {
                let mut careless = Command::new("env");
                careless.arg("--ignore-signal=CHLD");
                careless
            };
            if !careless().arg("true").output().is_ok_and(|tried| tried.status.success()) {
                return crate::sys::skip::skip(test, "this machine's `env` cannot ignore signals");
            }
            let again =
                careless().arg(std::env::current_exe().unwrap()).args(["--exact", test]).env(CHILD, "1").output();
            let again = again.unwrap();
            assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
            return;
        }
        assert!(told().is_err(), "that is what it is about");
        keep_ends_of_children().unwrap();
        assert_eq!(told().unwrap(), Some(7));
    }

    #[test]
    fn private_memory_adds_up_what_is_not_shared() {
        let rollup = "55-7f ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nShared_Clean: 700 kB\n\
                      Private_Clean: 4 kB\nPrivate_Dirty: 196 kB\nPrivate_Hugetlb: 0 kB\n";
        assert_eq!(sum_of_private(rollup), 200 * 1024);
        assert!(private_memory(std::process::id()).unwrap() > 0);
    }
}
