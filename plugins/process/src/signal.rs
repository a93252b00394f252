//! Which signals may be sent to whom.

use func_sdk::{Error, Result, checked};

/// The signal as the program `kill` knows it: a number, or a name without `SIG`, in capitals.
///
/// It becomes an argument of that program, so nothing that could be read as an option passes.
pub fn check(signal: &str) -> Result<String> {
    let upper = signal.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
    if name.is_empty() || name.starts_with(['-', '+']) || !plain || name.len() > 12 {
        return Err(Error::invalid(format!("{} is no signal", checked::shown(signal)))
            .hint("write a name such as TERM, or a number"));
    }
    Ok(name.to_owned())
}

/// Refuses the processes that a mistake reaches most easily: 0 means the sender's own group, 1 the whole machine.
pub fn check_target(pid: u32) -> Result<()> {
    if pid < 2 || i32::try_from(pid).is_err() {
        return Err(Error::invalid(format!("process {pid} is not signalled")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_signals() {
        for (given, sent) in [("term", "TERM"), ("SIGHUP", "HUP"), ("9", "9"), ("RTMIN+1", "RTMIN+1")] {
            assert_eq!(check(given).as_deref(), Ok(sent));
        }
    }

    #[test]
    fn what_could_be_an_option_or_a_group_is_refused() {
        for signal in ["", "-9", "SIG", "TERM 1", "TERM;", "-l", "é"] {
            assert!(check(signal).is_err(), "{signal:?}");
        }
        for pid in [0, 1, u32::MAX] {
            assert!(check_target(pid).is_err(), "{pid}");
        }
        assert!(check_target(2).is_ok());
    }
}
