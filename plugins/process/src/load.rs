//! The load, from /proc/loadavg (proc(5)).

use crate::exports::base::process::process::Load;

/// The file is `0.20 0.18 0.12 1/80 11206`; none when it is not.
pub fn parse(loadavg: &str) -> Option<Load> {
    let fields: Vec<&str> = loadavg.split_whitespace().collect();
    let [one, five, fifteen, threads, ..] = fields[..] else { return None };
    let (running, threads) = threads.split_once('/')?;
    Some(Load {
        one_minute: one.parse().ok()?,
        five_minutes: five.parse().ok()?,
        fifteen_minutes: fifteen.parse().ok()?,
        running: running.parse().ok()?,
        threads: threads.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_read_and_nothing_else_is() {
        let load = parse("0.20 0.18 0.12 1/80 11206\n").unwrap();
        assert_eq!((load.running, load.threads), (1, 80));
        assert_eq!(load.one_minute.to_string(), "0.2");
        for text in ["", "1 2 3", "a b c 1/2", "1 2 3 4"] {
            assert!(parse(text).is_none(), "{text:?}");
        }
    }
}
