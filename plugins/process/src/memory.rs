//! The machine's memory, from /proc/meminfo (proc(5)).

use func_sdk::{size, table};

use crate::exports::base::process::process::Memory;

/// What the file tells; none when it does not.
pub fn parse(meminfo: &str) -> Option<Memory> {
    let bytes = |name| table::value(meminfo, ':', name).and_then(size::parse);
    let or_none = |name| bytes(name).unwrap_or(0);
    let free = bytes("MemFree")?;
    let cached = or_none("Buffers") + or_none("Cached") + or_none("SReclaimable");
    Some(Memory {
        total: bytes("MemTotal")?,
        free,
        // Kernels before 3.14 do not say.
        available: bytes("MemAvailable").unwrap_or(free + cached),
        cached,
        swap_total: or_none("SwapTotal"),
        swap_free: or_none("SwapFree"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_become_bytes() {
        let text = "MemTotal: 10 kB\nMemFree: 2 kB\nMemAvailable: 5 kB\nBuffers: 1 kB\nCached: 2 kB\nSwapTotal: 0 kB\n";
        let memory = parse(text).unwrap();
        assert_eq!((memory.total, memory.free, memory.available), (10240, 2048, 5120));
        assert_eq!((memory.cached, memory.swap_total, memory.swap_free), (3072, 0, 0));
    }

    #[test]
    fn an_old_kernel_does_not_say_what_is_available() {
        assert_eq!(parse("MemTotal: 10 kB\nMemFree: 2 kB\nCached: 1 kB\n").unwrap().available, 3072);
        assert!(parse("").is_none());
    }
}
