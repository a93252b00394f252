//! Limits on what a process may take.

use std::io;

use nix::sys::resource::{Resource, setrlimit};

/// Descriptors of a process that runs no program: its files and connections, and room to spare.
const DESCRIPTORS: u64 = 1024;

/// Limits this process for good: no core files, few descriptors, no message queues, and `seconds` of processor time, after
/// which the kernel ends it.
pub fn limit(seconds: u64) -> io::Result<()> {
    let mut limits =
        vec![(Resource::RLIMIT_CORE, 0), (Resource::RLIMIT_NOFILE, DESCRIPTORS), (Resource::RLIMIT_CPU, seconds)];
    #[cfg(target_os = "linux")]
    limits.push((Resource::RLIMIT_MSGQUEUE, 0));
    for (resource, most) in limits {
        let (_, hard) = nix::sys::resource::getrlimit(resource)?;
        let most = most.min(hard);
        setrlimit(resource, most, most)?;
    }
    Ok(())
}
