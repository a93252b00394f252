//! One process, from /proc/PID/status, /proc/PID/stat and /proc/PID/cmdline (proc(5)).

use func_sdk::{size, table};

use crate::{accounts::Accounts, exports::base::process::process::Info};

/// What the files tell; none when they do not tell it.
pub fn parse(pid: u32, status: &str, stat: &str, cmdline: &[u8], accounts: &Accounts) -> Option<Info> {
    let value = |name| table::value(status, ':', name);
    let uid = value("Uid")?.split_whitespace().next()?.parse().ok()?;
    Some(Info {
        pid,
        parent: value("PPid")?.parse().ok()?,
        user: accounts.name(uid),
        state: state(value("State")?).to_owned(),
        // Threads of the kernel have no memory of their own.
        resident: value("VmRSS").and_then(size::parse).unwrap_or(0),
        threads: value("Threads").and_then(|count| count.parse().ok()).unwrap_or(1),
        name: value("Name")?.to_owned(),
        command: command(cmdline),
        started: started(stat)?,
    })
}

/// The 22nd field. The second, the name, may have anything in it, also brackets and spaces.
fn started(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The arguments are separated, and the last one ended, by NUL characters.
fn command(cmdline: &[u8]) -> String {
    let text = String::from_utf8_lossy(cmdline);
    text.trim_end_matches('\0').replace('\0', " ")
}

fn state(code: &str) -> &'static str {
    match code.chars().next() {
        Some('R') => "running",
        Some('S') => "sleeping",
        Some('D') => "waiting",
        Some('T' | 't') => "stopped",
        Some('Z') => "zombie",
        Some('I') => "idle",
        Some('X' | 'x') => "dead",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\tsshd: x\nState:\tS (sleeping)\nPPid:\t1\nUid:\t0\t0\t0\t0\nVmRSS:\t    8 kB\nThreads:\t3\n";

    const STAT: &str = "7 (a) S 9) S 1 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0";

    #[test]
    fn a_process_is_told_in_words_and_bytes() {
        let accounts = Accounts::parse("root:x:0:0::/root:/bin/sh");
        let info = parse(7, STATUS, STAT, b"/usr/sbin/sshd\0-D\0", &accounts).unwrap();
        assert_eq!((info.pid, info.parent, info.threads, info.resident), (7, 1, 3, 8192));
        assert_eq!(info.started, 12345);
        assert_eq!((info.user.as_str(), info.state.as_str()), ("root", "sleeping"));
        assert_eq!((info.name.as_str(), info.command.as_str()), ("sshd: x", "/usr/sbin/sshd -D"));
    }

    #[test]
    fn a_thread_of_the_kernel_has_neither_memory_nor_command() {
        let status = "Name:\tkthreadd\nState:\tI (idle)\nPPid:\t0\nUid:\t0\t0\t0\t0\n";
        let info = parse(2, status, STAT, b"", &Accounts::default()).unwrap();
        assert_eq!((info.resident, info.command.as_str(), info.state.as_str()), (0, "", "idle"));
    }

    #[test]
    fn what_is_no_status_is_no_process() {
        assert!(parse(2, "", STAT, b"", &Accounts::default()).is_none());
        assert!(parse(7, STATUS, "7 (a", b"", &Accounts::default()).is_none());
    }
}
