//! `jobs.…`: what a caller asks about its jobs, and only about its own.

use std::time::Duration;

use super::{backend::Backend, builtin::Builtin, dispatch::Dispatcher};
use crate::{
    ids::MinionJobId,
    wire::{JobStatus, RemoteError, Room, Value},
};

/// The methods that wait for something.
const WAIT: &str = "jobs.wait";
const FOLLOW: &str = "jobs.follow";

/// Whether a method waits for something.
pub(super) fn waits(method: &str) -> bool {
    matches!(method, WAIT | FOLLOW)
}

/// The longest that it waits.
const LONGEST: Duration = Duration::from_mins(5);

/// Answers one of them. `longest` bounds the wait, beside our own bound.
pub(super) async fn answer<B: Backend>(
    dispatcher: &Dispatcher<B>,
    builtin: &Builtin,
    owner: &str,
    longest: Option<Duration>,
    params: Vec<Value>,
) -> Result<Value, RemoteError> {
    let backend = &dispatcher.backend;
    match builtin.name {
        "jobs.open_ids" => {
            let [] = builtin.args(params)?;
            let jobs = backend.open_ids(owner).await?;
            Ok(Value::structure(jobs.into_iter().map(|(id, status)| (id.to_string(), status.code().into()))))
        }
        "jobs.job_status" => {
            let [id] = builtin.args(params)?;
            match job_id(&builtin.text(0, id)?) {
                Ok(id) => Ok(status(backend.job(&id, owner).await?)),
                Err(_) => Ok(status(None)),
            }
        }
        WAIT => {
            let [id, seconds] = builtin.args(params)?;
            let id = builtin.text(0, id)?;
            let time = time(builtin, 1, &seconds, longest)?;
            let Ok(id) = job_id(&id) else { return Ok(status(None)) };
            // A minion that stops does not wait for its jobs: they outlive it.
            let waited = tokio::select! {
                waited = backend.wait(&id, owner, time) => waited,
                () = dispatcher.stopping.cancelled() => backend.job(&id, owner).await,
            };
            Ok(status(waited?))
        }
        "jobs.cancel" => {
            let [id] = builtin.args(params)?;
            let id = builtin.text(0, id)?;
            let Ok(id) = job_id(&id) else { return Ok(status(None)) };
            Ok(status(backend.cancel(&id, owner).await?))
        }
        "jobs.budget" => {
            let [id] = builtin.args(params)?;
            let id = job_id(&builtin.text(0, id)?)?;
            let budget = backend.budget(&id, owner).await?.ok_or_else(|| unknown(&id))?;
            Ok(budget.unwrap_or(Value::Nil))
        }
        FOLLOW => {
            let [id, offset, seconds] = builtin.args(params)?;
            let id = job_id(&builtin.text(0, id)?)?;
            let (offset, time) = (whole(builtin, &offset)?, time(builtin, 2, &seconds, longest)?);
            let told = tokio::select! {
                told = backend.follow(&id, owner, offset, time) => told?,
                () = dispatcher.stopping.cancelled() => backend.follow(&id, owner, offset, Duration::ZERO).await?,
            };
            let (part, (current, total, note)) = told.ok_or_else(|| unknown(&id))?;
            let progress = Value::Array(vec![int(current), int(total), note.into()]);
            Ok(Value::Array(vec![Value::Bytes(part.bytes), int(part.next), part.ended.into(), progress]))
        }
        "jobs.log" => {
            let [id, offset] = builtin.args(params)?;
            let id = job_id(&builtin.text(0, id)?)?;
            let offset = whole(builtin, &offset)?;
            let part = backend.log(&id, owner, offset).await?.ok_or_else(|| unknown(&id))?;
            Ok(Value::Array(vec![Value::Bytes(part.bytes), int(part.next), part.ended.into()]))
        }
        name => {
            let [id] = builtin.args(params)?;
            let id = job_id(&builtin.text(0, id)?)?;
            let pair = if name == "jobs.tail_output" {
                backend.tail(&id, owner).await?.map(|(out, err)| vec![out.into(), err.into()])
            } else {
                backend.progress(&id, owner).await?.map(|(current, total)| vec![int(current), int(total)])
            };
            pair.map(Value::Array).ok_or_else(|| unknown(&id))
        }
    }
}

/// The offset of a log, its second argument.
fn whole(builtin: &Builtin, offset: &Value) -> Result<u64, RemoteError> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a positive number; saturates"
    )]
    let offset = builtin.number(1, offset)? as u64;
    Ok(offset)
}

/// How long to wait, within what the caller and we allow.
fn time(builtin: &Builtin, index: usize, seconds: &Value, longest: Option<Duration>) -> Result<Duration, RemoteError> {
    let longest = longest.unwrap_or(LONGEST).min(LONGEST);
    Ok(Duration::try_from_secs_f64(builtin.number(index, seconds)?).unwrap_or(longest).min(longest))
}

/// `[status, result]`; of an unknown job `[2, 0]`, as the original has it.
///
/// A result that fits no answer gives way to an error: whoever waits for the job must see that it ended.
fn status(job: Option<(JobStatus, Value)>) -> Value {
    let (status, result) = job.unwrap_or((JobStatus::Lost, Value::Int(0)));
    let result = match Room::answer().take(1, &result) {
        Ok(()) => result,
        Err(why) => RemoteError::from(why).into(),
    };
    Value::Array(vec![status.code().into(), result])
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn job_id(text: &str) -> Result<MinionJobId, RemoteError> {
    text.parse().map_err(|_| RemoteError::new("NoSuchJob", "there is no such job: that is not a job id of a minion"))
}

fn unknown(id: &MinionJobId) -> RemoteError {
    RemoteError::new("NoSuchJob", format!("there is no job `{id}` of yours"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Answer, MAX_BYTES, MAX_DEPTH, MAX_VALUES, encode_answer, parse_answer};

    #[test]
    fn a_job_is_seen_to_end_whatever_its_result() {
        let nest = |levels| (1..levels).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
        let told = |result| {
            let answer = Answer::Value(status(Some((JobStatus::Finished, result))));
            let Answer::Value(Value::Array(parts)) = parse_answer(encode_answer(&answer).as_bytes()).unwrap() else {
                panic!("no status")
            };
            assert_eq!(parts[0], 1.into());
            RemoteError::from_value(&parts[1]).map(|error| error.kind)
        };
        assert_eq!(told(nest(MAX_DEPTH - 1)), None);
        for large in [nest(MAX_DEPTH), Value::Array(vec![Value::Nil; MAX_VALUES]), Value::Bytes(vec![0; MAX_BYTES])] {
            assert_eq!(told(large).as_deref(), Some("ResultTooLarge"));
        }
    }
}
