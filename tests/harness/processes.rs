//! Finding the processes of a test by the home in their environment, which no other process has.

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

/// Every live process whose `FUNC_HOME` is this folder.
pub fn of_home(home: &Path) -> Vec<Pid> {
    let mark = format!("FUNC_HOME={}\0", home.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.windows(mark.len()).any(|window| window == mark.as_bytes()) {
            found.push(Pid::from_raw(pid));
        }
    }
    found
}

/// Live processes with this word in their command line.
pub fn with_word(word: &str) -> Vec<Pid> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
    pids.filter(|pid| command_line(*pid).split(' ').any(|part| part == word)).collect()
}

/// What a process was started as, or calls itself.
pub fn command_line(pid: Pid) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}
