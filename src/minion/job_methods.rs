//! `jobs.…`: what a caller asks about its jobs, and only about its own.

use std::time::Duration;

use super::{backend::Backend, builtin::Builtin, dispatch::Dispatcher};
use crate::{
    ids::MinionJobId,
    wire::{JobStatus, RemoteError, Value},
};

/// The one method that waits for something.
pub(super) const WAIT: &str = "jobs.wait";

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
            let longest = longest.unwrap_or(LONGEST).min(LONGEST);
            let time = Duration::try_from_secs_f64(builtin.number(1, &seconds)?).unwrap_or(longest).min(longest);
            let Ok(id) = job_id(&id) else { return Ok(status(None)) };
            // A minion that stops does not wait for its jobs: they outlive it.
            let waited = tokio::select! {
                waited = backend.wait(&id, owner, time) => waited,
                () = dispatcher.stopping.cancelled() => backend.job(&id, owner).await,
            };
            Ok(status(waited?))
        }
        "jobs.log" => {
            let [id, offset] = builtin.args(params)?;
            let id = job_id(&builtin.text(0, id)?)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be a positive number; saturates"
            )]
            let offset = builtin.number(1, &offset)? as u64;
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

/// `[status, result]`; of an unknown job `[2, 0]`, as the original has it.
fn status(job: Option<(JobStatus, Value)>) -> Value {
    let (status, result) = job.unwrap_or((JobStatus::Lost, Value::Int(0)));
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
