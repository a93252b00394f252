//! Restarts or stops the machine, now or later.

mod schedule;

use exports::base::reboot::reboot::{Change, Guest, Plan};
use func_sdk::{Error, Result, checked, file, program::Program};

func_sdk::module!(Reboot);

/// Where systemd keeps what is planned.
const PLANNED: &str = "/run/systemd/shutdown/scheduled";
/// A week. Whoever plans further ahead has mistaken the unit.
const LONGEST: u32 = 7 * 24 * 60;

struct Reboot;

impl Guest for Reboot {
    fn planned() -> Result<Option<Plan>> {
        Ok(file::optional(PLANNED)?.as_deref().and_then(schedule::parse))
    }

    fn reboot(delay: Option<u32>, message: Option<String>) -> Result<Change> {
        plan("-r", delay, message.as_deref())
    }

    fn power_off(delay: Option<u32>, message: Option<String>) -> Result<Change> {
        plan("-P", delay, message.as_deref())
    }

    fn cancel(message: Option<String>) -> Result<Change> {
        let message = checked_message(message.as_deref())?;
        let before = Self::planned()?;
        Program::new("shutdown").arg("-c").args(message).change()?;
        Ok(Change { after: Self::planned()?, changed: before.is_some(), before })
    }
}

fn plan(option: &str, delay: Option<u32>, message: Option<&str>) -> Result<Change> {
    let message = checked_message(message)?;
    let delay = delay.unwrap_or(1);
    if delay > LONGEST {
        return Err(Error::invalid(format!("{delay} minutes are more than a week")));
    }
    let before = Reboot::planned()?;
    Program::new("shutdown").args([option, &format!("+{delay}")]).args(message).change()?;
    Ok(Change { after: Reboot::planned()?, before, changed: true })
}

fn checked_message(message: Option<&str>) -> Result<Option<&str>> {
    message.filter(|message| !message.is_empty()).map(|message| checked::argument("message", message)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_no_option() {
        assert_eq!(checked_message(Some("for a new kernel")), Ok(Some("for a new kernel")));
        assert_eq!(checked_message(Some("")), Ok(None));
        assert!(checked_message(Some("-h")).is_err() && checked_message(Some("a\nb")).is_err());
    }
}
