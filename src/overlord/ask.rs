//! Questions to a minion about a job, and what its answers mean.

use std::time::Duration;

use super::state::Report;
use crate::{
    fleet::{Outcome, Pace, Request},
    ids::MinionJobId,
    wire::{Call, JobStatus, RemoteError, Value},
};

/// How long a minion has to begin its answer to a question, on top of the time that it may wait for the job.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a minion may take to end a job.
const ENDING: Duration = Duration::from_secs(20);

/// How long it has where it need not wait for the job: whoever asks how a job stands wants to see what is known, not to
/// wait for the host that hangs.
const GLANCE: Duration = Duration::from_secs(3);

/// How fast the answer, which may be a long result over a thin line, has to come then.
const PACE: Pace = Pace { piece: Duration::from_secs(10), total: Duration::from_mins(30) };

/// The question how a job is, to be answered when it ends or `patience` is over; at once if that is zero.
pub(super) fn question(job: &MinionJobId, patience: Duration) -> Request {
    let id = Value::from(job.as_str());
    let (call, timeout) = if patience.is_zero() {
        (Call::new("jobs.job_status", vec![id]), GLANCE)
    } else {
        let seconds = i64::try_from(patience.as_secs().max(1)).unwrap_or(i64::MAX);
        (Call::new("jobs.wait", vec![id, Value::Int(seconds)]), patience + PATIENCE)
    };
    Request::new(&call).timeout(timeout).pace(PACE)
}

/// The demand that a job ends. Its answer says what became of the job, as that to a question does.
pub(super) fn demand(job: &MinionJobId) -> Request {
    Request::new(&Call::new("jobs.cancel", vec![job.as_str().into()])).timeout(ENDING + PATIENCE).pace(PACE)
}

/// What the answer to a question means; an error is why nothing is known yet. `timeout` is what the job was given.
pub(super) fn report(answer: Outcome, timeout: Option<Duration>) -> Result<Report, String> {
    let Outcome::Ok(value) = answer else { return Err(answer.to_string()) };
    let odd = || format!("it answers `jobs.job_status` with {}", shown(&value));
    let Value::Array(pair) = &value else { return Err(odd()) };
    let [Value::Int(code), result] = &pair[..] else { return Err(odd()) };
    let error = RemoteError::from_value(result);
    match (JobStatus::from_code(*code).ok_or_else(odd)?, error) {
        (JobStatus::Running | JobStatus::Partial, _) => Ok(Report::Running),
        (JobStatus::Lost, None) => Ok(Report::Unknown),
        (JobStatus::Lost, Some(error)) => Ok(Report::Done(Outcome::Lost { why: error.message.into() })),
        (JobStatus::Finished | JobStatus::RemoteError, Some(error)) => Ok(Report::Done(failure(error, timeout))),
        (JobStatus::Finished, None) => Ok(Report::Done(Outcome::Ok(result.clone()))),
        (JobStatus::RemoteError, None) => Err(odd()),
    }
}

fn failure(error: RemoteError, timeout: Option<Duration>) -> Outcome {
    if error.kind == "Cancelled" { Outcome::Cancelled } else { Outcome::of_error(error, timeout) }
}

fn shown(value: &Value) -> String {
    value.to_json().to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: i64, result: Value) -> Result<Report, String> {
        report(Outcome::Ok(Value::Array(vec![code.into(), result])), Some(Duration::from_secs(9)))
    }

    fn error(kind: &str) -> Value {
        RemoteError::new(kind, "x").to_value()
    }

    #[test]
    fn every_code_of_the_protocol_is_understood() {
        for (code, result, expected) in [
            (0, Value::Int(-1), Report::Running),
            (3, Value::Nil, Report::Running),
            (1, Value::Int(4), Report::Done(Outcome::Ok(4.into()))),
            (1, error("Trap"), Report::Done(Outcome::Failed(RemoteError::new("Trap", "x")))),
            (4, error("Trap"), Report::Done(Outcome::Failed(RemoteError::new("Trap", "x")))),
            (1, error("Cancelled"), Report::Done(Outcome::Cancelled)),
            (1, error("TimedOut"), Report::Done(Outcome::TimedOut { after: Duration::from_secs(9) })),
            (2, Value::Int(0), Report::Unknown),
            (2, error("Lost"), Report::Done(Outcome::Lost { why: "x".into() })),
        ] {
            assert_eq!(read(code, result), Ok(expected), "{code}");
        }
    }

    #[test]
    fn a_job_that_its_minions_own_limit_ended_timed_out_after_that_limit() {
        let limit = Duration::from_hours(1);
        let ended = Outcome::Ok(Value::Array(vec![1.into(), RemoteError::timed_out("x", limit).to_value()]));
        for asked in [None, Some(Duration::from_hours(2))] {
            assert_eq!(report(ended.clone(), asked), Ok(Report::Done(Outcome::TimedOut { after: limit })));
        }
        let other = Outcome::Ok(Value::Array(vec![1.into(), error("TimedOut")]));
        let failed = Outcome::Failed(RemoteError::new("TimedOut", "x"));
        assert_eq!(report(other, None), Ok(Report::Done(failed)), "no deadline is known");
    }

    #[test]
    fn whatever_is_no_report_says_nothing_about_the_job() {
        assert!(read(9, Value::Nil).is_err() && read(4, Value::Nil).is_err());
        for answer in [
            Outcome::Ok(Value::Nil),
            Outcome::Ok(Value::Array(vec![1.into()])),
            Outcome::Unreachable { why: "x".into() },
            Outcome::Refused { why: "x".into() },
            Outcome::TimedOut { after: Duration::from_secs(1) },
            Outcome::Failed(RemoteError::new("UnknownMethod", "x")),
        ] {
            assert!(report(answer, None).is_err());
        }
    }

    #[test]
    fn a_question_without_patience_waits_neither_for_the_job_nor_long_for_its_host() {
        let job = MinionJobId::fresh();
        assert_eq!(question(&job, Duration::ZERO).own_timeout(), Some(GLANCE));
        assert_eq!(question(&job, Duration::from_secs(20)).own_timeout(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn whatever_a_minion_says_of_a_job_is_a_report_or_says_nothing() {
        use crate::wire::{Answer, encode_answer, parse_answer};
        let of = |code: i64, result: Value| encode_answer(&Answer::Value(Value::Array(vec![code.into(), result])));
        let told = [
            of(0, Value::Int(-1)),
            of(1, 4.into()),
            of(2, error("Lost")),
            of(1, error("Cancelled")),
            of(4, error("Trap")),
        ];
        let corpus: Vec<&[u8]> = told.iter().map(String::as_bytes).collect();
        let words =
            ["<int>1</int>", "<int>2</int>", "<int>-1</int>", "<nil/>", "<array><data>", "</data></array>", "TimedOut"];
        crate::sys::fuzz::fuzz("job_reports", &corpus, &words, |bytes| {
            let Ok(Answer::Value(value)) = parse_answer(bytes) else { return None };
            Some(report(Outcome::Ok(value), Some(Duration::from_secs(9))).map(|report| match report {
                Report::Done(outcome) => outcome.name(),
                Report::Running => "running",
                Report::Unknown => "unknown",
            }))
        });
    }
}
