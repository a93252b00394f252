//! The page that `mod_status` makes for machines: lines of `Name: value`, and a scoreboard with a character for each worker.

use func_sdk::table;

use crate::exports::base::httpd::httpd::{ServerStatus, Workers};

/// The status; none when the page is another one.
pub fn parse(text: &str) -> Option<ServerStatus> {
    let value = |name| table::value(text, ':', name);
    let number = |name| value(name).and_then(|number| number.parse::<u64>().ok());
    let real = |name| value(name).and_then(|number| number.parse::<f64>().ok()).filter(|number| number.is_finite());
    let count = |name| number(name).and_then(|number| u32::try_from(number).ok());
    let (busy, idle) = (count("BusyWorkers")?, count("IdleWorkers")?);
    let open = value("Scoreboard").map_or(0, |board| board.matches('.').count());
    Some(ServerStatus {
        version: value("ServerVersion").map(str::to_owned),
        mpm: value("ServerMPM").map(str::to_owned),
        uptime: number("ServerUptimeSeconds").or_else(|| number("Uptime")),
        accesses: number("Total Accesses"),
        bytes: number("Total kBytes").and_then(|kilobytes| kilobytes.checked_mul(1024)),
        requests_per_second: real("ReqPerSec"),
        cpu_load: real("CPULoad"),
        generation: number("ParentServerConfigGeneration"),
        workers: Workers { busy, idle, open: u32::try_from(open).unwrap_or(u32::MAX) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_becomes_numbers() {
        let text = "127.0.0.1\nServerVersion: Apache/2.4.57 (Debian)\nServerMPM: event\nServerUptimeSeconds: 600
Total Accesses: 12\nTotal kBytes: 3\nCPULoad: .0166\nParentServerConfigGeneration: 3\nReqPerSec: .02\nBusyWorkers: 1\nIdleWorkers: 49\nScoreboard: __W_..\n";
        let told = parse(text).unwrap();
        assert_eq!((told.uptime, told.accesses, told.bytes), (Some(600), Some(12), Some(3072)));
        assert_eq!(told.generation, Some(3));
        assert_eq!((told.requests_per_second, told.cpu_load), (Some(0.02), Some(0.0166)));
        assert_eq!((told.workers.busy, told.workers.idle, told.workers.open), (1, 49, 2));
        assert_eq!(told.version.as_deref(), Some("Apache/2.4.57 (Debian)"));
    }

    #[test]
    fn another_page_is_none() {
        assert!(parse("<html>It works!</html>").is_none() && parse("").is_none());
    }
}
