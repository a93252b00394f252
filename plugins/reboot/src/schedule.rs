//! What systemd has planned: a file of `USEC=`, `MODE=` and, with a message, `WALL_MESSAGE=`.

use func_sdk::{Datetime, table, time};

use crate::exports::base::reboot::reboot::Plan;

/// The plan; none when the file says none.
pub fn parse(text: &str) -> Option<Plan> {
    let micros: u64 = table::value(text, '=', "USEC")?.parse().ok()?;
    let seconds = i64::try_from(micros / 1_000_000).ok()?;
    let nanoseconds = u32::try_from(micros % 1_000_000).unwrap_or_default() * 1000;
    let at = Datetime { seconds, nanoseconds };
    let mode = table::value(text, '=', "MODE")?.to_owned();
    let message = table::value(text, '=', "WALL_MESSAGE").filter(|message| !message.is_empty()).map(unescape);
    Some(Plan { mode, at, at_utc: time::utc(at), message })
}

/// The message is written as in C.
fn unescape(text: &str) -> String {
    text.replace("\\n", " ").replace("\\x20", " ").replace("\\\"", "\"").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_with_its_time() {
        let plan = parse("USEC=1772280123000500\nWARN_WALL=1\nMODE=reboot\nWALL_MESSAGE=a\\x20new kernel\n").unwrap();
        assert_eq!((plan.mode.as_str(), plan.at_utc.as_str()), ("reboot", "2026-02-28T12:02:03Z"));
        assert_eq!((plan.at.nanoseconds, plan.message.as_deref()), (500_000, Some("a new kernel")));
        assert!(parse("").is_none() && parse("USEC=x\nMODE=reboot").is_none());
    }
}
