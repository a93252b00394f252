//! Lists processes, tells memory and load, ends processes.

mod accounts;
mod load;
mod memory;
mod status;

use exports::base::process::process::{Guest, Info, Load, Memory, Signalled};
use func_sdk::{Error, ErrorKind, Result, files, job, processes};

use accounts::Accounts;

func_sdk::module!(Process);

struct Process;

impl Guest for Process {
    fn list(pattern: Option<String>) -> Result<Vec<Info>> {
        let accounts = accounts();
        let entries = files::list_dir("/proc")?;
        let mut pids: Vec<u32> = entries.iter().filter_map(|entry| entry.name.parse().ok()).collect();
        pids.sort_unstable();
        let mut found = Vec::new();
        for pid in pids {
            let Some(info) = look_at(pid, &accounts)? else { continue };
            let wanted = |text: &str| info.name.contains(text) || info.command.contains(text);
            if pattern.as_deref().is_none_or(wanted) {
                found.push(info);
            }
        }
        Ok(found)
    }

    fn mem() -> Result<Memory> {
        let text = files::read_text("/proc/meminfo")?;
        memory::parse(&text).ok_or_else(|| Error::unsupported("/proc/meminfo does not tell the memory"))
    }

    fn loadavg() -> Result<Load> {
        let text = files::read_text("/proc/loadavg")?;
        load::parse(&text).ok_or_else(|| Error::unsupported("/proc/loadavg does not tell the load"))
    }

    fn kill(pid: u32, signal: Option<String>, started: Option<u64>) -> Result<Signalled> {
        let accounts = accounts();
        let before = look_at(pid, &accounts)?;
        let started = started.or(before.as_ref().map(|info| info.started));
        processes::signal(pid, signal.as_deref().unwrap_or("TERM"), started)?;
        let before =
            before.ok_or_else(|| Error::failed(format!("process {pid} was signalled, and cannot be looked at")))?;
        let after = if job::dry_run() {
            Some(before.clone())
        } else {
            // Its number may be another's already.
            look_at(pid, &accounts)?.filter(|after| after.started == before.started)
        };
        Ok(Signalled { before, after, changed: true })
    }
}

/// Without the file users are told by number.
fn accounts() -> Accounts {
    files::read_text("/etc/passwd").map_or_else(|_| Accounts::default(), |text| Accounts::parse(&text))
}

/// None when the process has ended meanwhile.
fn look_at(pid: u32, accounts: &Accounts) -> Result<Option<Info>> {
    let read = || -> Result<Option<Info>> {
        let text = files::read(&format!("/proc/{pid}/status"))?;
        let command = files::read(&format!("/proc/{pid}/cmdline"))?;
        let stat = files::read(&format!("/proc/{pid}/stat"))?;
        let (text, stat) = (String::from_utf8_lossy(&text), String::from_utf8_lossy(&stat));
        Ok(status::parse(pid, &text, &stat, &command, accounts))
    };
    match read() {
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Failed) => Ok(None),
        other => other,
    }
}
