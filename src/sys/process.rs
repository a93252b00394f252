//! What a process may do, and what it weighs.

use std::{fs, io};

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
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

    #[test]
    fn private_memory_adds_up_what_is_not_shared() {
        let rollup = "55-7f ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nShared_Clean: 700 kB\n\
                      Private_Clean: 4 kB\nPrivate_Dirty: 196 kB\nPrivate_Hugetlb: 0 kB\n";
        assert_eq!(sum_of_private(rollup), 200 * 1024);
        assert!(private_memory(std::process::id()).unwrap() > 0);
    }
}
