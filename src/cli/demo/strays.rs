//! What a demo has running besides itself: daemons, workers, which outlive a daemon by design, and commands of its overlord
//! that went on in the background.
//!
//! They are known by the home in their environment, which lies in the demo's folder, and by their program: a shell in which somebody uses the fleet has
//! the same home and is not ours to end.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A killed process is gone within milliseconds; what is stuck in the kernel for longer cannot be helped.
const ROUNDS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(10);

/// Kills every process with a home in this folder that runs this program, and waits for its end.
pub(super) fn end(folder: &Path) {
    for _ in 0..ROUNDS {
        let found = find(folder);
        if found.is_empty() {
            return;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(PAUSE);
    }
}

fn find(folder: &Path) -> Vec<Pid> {
    let (Ok(entries), Ok(own)) = (fs::read_dir("/proc"), fs::read_link("/proc/self/exe")) else { return Vec::new() };
    let mark = [b"FUNC_HOME=", folder.join("").as_os_str().as_bytes()].concat();
    let ours = |process: &Path| {
        fs::read_link(process.join("exe")).is_ok_and(|program| program == own)
            && fs::read(process.join("environ"))
                .is_ok_and(|text| text.split(|byte| *byte == 0).any(|word| word.starts_with(&mark)))
    };
    entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(pid, process)| *pid != Pid::this().as_raw() && ours(process))
        .map(|(pid, _)| Pid::from_raw(pid))
        .collect()
}
