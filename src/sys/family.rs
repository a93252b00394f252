//! A process and everything that descends from it.
//!
//! A process that adopts ([`adopt_orphans`]) becomes the parent of each descendant whose own parent ends, also of
//! one that began a session of its own. So whatever it has started, and whatever that has started, is found
//! by walking the parents, for as long as the process itself is there.

use std::{
    collections::HashMap,
    fs, io, thread,
    time::{Duration, Instant},
};

use nix::sys::{prctl, signal::Signal};

use super::pidfd::PidFd;

/// How long to leave between two looks for what is still there.
const PAUSE: Duration = Duration::from_millis(2);

/// From here on orphaned descendants become children of this process and not of init.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// When a process was started, counted from the boot, as exactly as the system tells: to a hundredth of a second,
/// rounded down.
pub fn started(pid: u32) -> io::Result<Duration> {
    look(pid).map(|process| ticks(process.start))
}

/// Kills everything that descends from the process with this number and this start, and not the process itself. It
/// should adopt orphans, and either stand still or be the caller, or it may start more all the time. Answers when
/// nothing lives any more; the error is of kind `TimedOut` when something still does after `patience`.
pub fn kill_descendants(of: u32, start: Duration, patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        if !started(of).is_ok_and(|now| now == start) {
            return Ok(());
        }
        let living = descendants(of)?;
        if living.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > patience {
            let message = format!("{} processes that descend from process {of} do not end", living.len());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        for (pid, found) in living {
            // Held by descriptor, and then looked at again: a number that went to somebody else since tells by
            // its start.
            if let Ok(held) = PidFd::open(pid)
                && look(pid).is_ok_and(|now| now.start == found.start)
            {
                let _ = held.signal(Signal::SIGKILL);
            }
        }
        thread::sleep(PAUSE);
    }
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) lives: bool,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// In ticks since the boot.
    start: u64,
}

pub(super) fn look(pid: u32) -> io::Result<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    read(&stat).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("cannot read /proc/{pid}/stat")))
}

/// The 3rd to 6th and the 22nd field (`proc_pid_stat(5)`); the second may hold spaces and parentheses.
fn read(stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace();
    let lives = !matches!(fields.next()?, "Z" | "X" | "x");
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    Some(Process { lives, parent, group, session, start: fields.nth(15)?.parse().ok()? })
}

fn ticks(count: u64) -> Duration {
    // SAFETY: sysconf takes any integer and answers one.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Linux has told user space 100 on every architecture that we know of.
    let a_second = u32::try_from(a_second).ok().filter(|ticks| *ticks > 0).unwrap_or(100);
    Duration::from_secs(count / u64::from(a_second)) + Duration::from_secs(count % u64::from(a_second)) / a_second
}

/// Every process, with its number.
pub(super) fn all() -> io::Result<Vec<(u32, Process)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that is gone meanwhile has nothing to say.
        all.extend(look(pid).ok().map(|process| (pid, process)));
    }
    Ok(all)
}

/// Everything alive that descends from a process.
fn descendants(of: u32) -> io::Result<Vec<(u32, Process)>> {
    let mut children: HashMap<u32, Vec<(u32, Process)>> = HashMap::new();
    for (pid, process) in all()? {
        children.entry(process.parent).or_default().push((pid, process));
    }
    let mut found = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        let here = children.remove(&parent).unwrap_or_default();
        parents.extend(here.iter().map(|(pid, _)| *pid));
        found.extend(here.into_iter().filter(|(_, process)| process.lives));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_strange_process_name_hides_nothing() {
        let stat = "17 (a) (b c) S 4 16 15 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 100 0 0";
        assert_eq!(read(stat), Some(Process { lives: true, parent: 4, group: 16, session: 15, start: 100 }));
        assert_eq!(read(&stat.replace(" S ", " Z ")).map(|process| process.lives), Some(false));
        assert_eq!(read("17"), None);
    }

    #[test]
    fn a_process_is_no_older_than_its_start() {
        let before = crate::sys::clock::since_boot();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = started(child.id()).unwrap();
        assert!(start + Duration::from_millis(20) >= before && start <= crate::sys::clock::since_boot());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn children_and_their_children_end_and_the_process_itself_does_not() {
        let script = "(sleep 601 & sleep 602 & wait) & sleep 603 & wait";
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let wanted = Instant::now();
        while descendants(child.id()).unwrap().len() < 4 {
            assert!(wanted.elapsed() < Duration::from_secs(30));
        }
        let start = started(child.id()).unwrap();
        kill_descendants(child.id(), start + Duration::from_secs(1), Duration::ZERO).unwrap();
        assert_eq!(descendants(child.id()).unwrap().len(), 4, "that would have been another process");
        kill_descendants(child.id(), start, Duration::from_secs(30)).unwrap();
        assert!(descendants(child.id()).unwrap().is_empty());
        let _ = child.kill();
        child.wait().unwrap();
    }
}
