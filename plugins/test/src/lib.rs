//! Tries out the way to a minion and back: answers, errors, panics, dynamic data, progress.

use std::time::Duration;

use exports::base::test::test::Guest;
use func_sdk::{Datetime, Error, Result, clock, config, job, log, values::Value};

func_sdk::module!(Test);

struct Test;

impl Guest for Test {
    fn add(a: i64, b: i64) -> Result<i64> {
        add(a, b)
    }

    fn ping() -> u32 {
        1
    }

    fn sleep(seconds: f64) -> Result<f64> {
        job::sleep(milliseconds(seconds)?)?;
        Ok(as_seconds(clock::now()))
    }

    fn explode() {
        panic!("khhhhhhaaaaaan!!!!!!")
    }

    fn echo(value: Value) -> Value {
        value
    }

    fn bigint() -> i64 {
        1 << 44
    }

    fn progress(steps: u32, delay_ms: Option<u64>) -> Result<u32> {
        let delay = delay_ms.unwrap_or_else(|| usual_delay(config::get("delay-ms")));
        for step in 1..=steps {
            job::sleep(delay)?;
            let note = format!("step {step} of {steps}");
            log::info(&note);
            job::progress(step.into(), Some(steps.into()), &note);
        }
        Ok(steps)
    }
}

fn add(a: i64, b: i64) -> Result<i64> {
    a.checked_add(b).ok_or_else(|| Error::invalid(format!("{a} + {b} does not fit into 64 bits")))
}

/// How long a step takes when the caller does not say: a slow machine is made by its settings.
fn usual_delay(setting: Option<String>) -> u64 {
    setting.and_then(|text| text.parse().ok()).unwrap_or(100)
}

fn milliseconds(seconds: f64) -> Result<u64> {
    let time = Duration::try_from_secs_f64(seconds)
        .map_err(|_| Error::invalid(format!("`seconds` must be a time to wait, not {seconds}")))?;
    Ok(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a time of day in seconds fits into 52 bits")]
fn as_seconds(time: Datetime) -> f64 {
    time.seconds as f64 + f64::from(time.nanoseconds) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_does_not_fit_is_an_error_and_no_wrong_number() {
        assert_eq!(add(2, -3), Ok(-1));
        assert!(add(i64::MAX, 1).is_err_and(|error| error.message.contains("9223372036854775807 + 1")));
    }

    #[test]
    fn a_machine_can_be_made_slow() {
        assert_eq!(usual_delay(Some("700".to_owned())), 700);
        assert_eq!(usual_delay(Some("soon".to_owned())), 100);
        assert_eq!(usual_delay(None), 100);
    }

    #[test]
    fn only_times_can_be_waited_for() {
        assert_eq!(milliseconds(1.5), Ok(1500));
        assert_eq!(milliseconds(0.0), Ok(0));
        for seconds in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(milliseconds(seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_time_of_day_keeps_its_fraction() {
        assert_eq!(as_seconds(Datetime { seconds: 7, nanoseconds: 500_000_000 }).to_string(), "7.5");
    }
}
