//! Jobs in memory, with the rules of the durable ones: a chosen id is bound to its owner and its call,
//! and runs once; only the owner may ask.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    ids::{Digest, MethodName, MinionJobId},
    minion::backend::{JobOrder, Refusal},
    wire::{Fault, JobStatus, RemoteError, Value},
};

/// How many jobs a host keeps; beyond, the oldest that have ended are forgotten.
const KEPT: usize = 1000;

/// The jobs of one simulated host.
#[derive(Debug, Default)]
pub(super) struct MemoryJobs(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    jobs: HashMap<MinionJobId, Job>,
    order: VecDeque<MinionJobId>,
}

#[derive(Debug)]
struct Job {
    owner: String,
    call: Digest,
    /// The result, once there is one.
    result: watch::Receiver<Option<Value>>,
    /// Where it comes from.
    ends: watch::Sender<Option<Value>>,
}

impl MemoryJobs {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a job, whose result is what `work` comes to.
    pub(super) fn submit(
        &self,
        order: JobOrder,
        args: &[Value],
        work: impl Future<Output = Result<Value, RemoteError>> + Send + 'static,
    ) -> Result<MinionJobId, Refusal> {
        let id = order.id.unwrap_or_else(MinionJobId::fresh);
        let call = fingerprint(&order.method, args)?;
        let mut kept = self.kept();
        if kept.knows(&id, &order.owner, call)? {
            return Ok(id);
        }
        let (sender, result) = watch::channel(None);
        kept.jobs.insert(id.clone(), Job { owner: order.owner, call, result, ends: sender.clone() });
        kept.order.push_back(id.clone());
        kept.forget();
        tokio::spawn(async move {
            let mut over = sender.subscribe();
            let work = tokio::time::timeout(order.deadline, work);
            let answer = tokio::select! {
                answer = work => answer,
                _ = over.wait_for(Option::is_some) => return,
            };
            let answer = answer.unwrap_or_else(|_| {
                let message = format!("the job took longer than {:?}", order.deadline);
                Err(RemoteError::timed_out(message, order.deadline))
            });
            end(&sender, answer.unwrap_or_else(Value::from));
        });
        Ok(id)
    }

    /// Whether this call is the job of this id already.
    pub(super) fn knows(
        &self,
        id: &MinionJobId,
        owner: &str,
        method: &MethodName,
        args: &[Value],
    ) -> Result<bool, Refusal> {
        self.kept().knows(id, owner, fingerprint(method, args)?)
    }

    pub(super) async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Option<(JobStatus, Value)> {
        let mut result = self.kept().jobs.get(id).filter(|job| job.owner == owner)?.result.clone();
        // Whether it ended or the time did, the state is what counts.
        let _ = tokio::time::timeout(time, result.wait_for(Option::is_some)).await;
        let state = result.borrow().clone();
        Some(state.map_or((JobStatus::Running, Value::Int(-1)), |value| (JobStatus::Finished, value)))
    }

    /// Ends a job that runs.
    pub(super) fn cancel(&self, id: &MinionJobId, owner: &str) {
        if let Some(job) = self.kept().jobs.get(id).filter(|job| job.owner == owner) {
            end(&job.ends, RemoteError::new("Cancelled", "the job was cancelled").into());
        }
    }

    pub(super) fn open_ids(&self, owner: &str) -> Vec<(MinionJobId, JobStatus)> {
        let kept = self.kept();
        let own = kept.jobs.iter().filter(|(_, job)| job.owner == owner);
        let status = |job: &Job| if job.result.borrow().is_some() { JobStatus::Finished } else { JobStatus::Running };
        own.map(|(id, job)| (id.clone(), status(job))).collect()
    }
}

/// The first end counts.
fn end(ends: &watch::Sender<Option<Value>>, value: Value) {
    ends.send_if_modified(|end| {
        let first = end.is_none();
        end.get_or_insert(value);
        first
    });
}

/// What makes two calls the same.
fn fingerprint(method: &MethodName, args: &[Value]) -> Result<Digest, Refusal> {
    let bytes = postcard::to_stdvec(&(method, args));
    bytes
        .map(|bytes| Digest::of(&bytes))
        .map_err(|error| Refusal::Error(RemoteError::new("Internal", error.to_string())))
}

impl Kept {
    fn knows(&self, id: &MinionJobId, owner: &str, call: Digest) -> Result<bool, Refusal> {
        match self.jobs.get(id) {
            None => Ok(false),
            Some(job) if job.owner == owner && job.call == call => Ok(true),
            Some(_) => Err(Refusal::Fault(Fault::refused(format!("the job id `{id}` is not free")))),
        }
    }

    fn forget(&mut self) {
        while self.order.len() > KEPT {
            let Some(oldest) = self.order.pop_front() else { return };
            if self.jobs.get(&oldest).is_some_and(|job| job.result.borrow().is_none()) {
                self.order.push_back(oldest);
                return;
            }
            self.jobs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::native::Ready, *};

    fn order(id: &MinionJobId, owner: &str) -> JobOrder {
        JobOrder {
            id: Some(id.clone()),
            owner: owner.into(),
            overlord_job: None,
            method: "test.sleep".parse().unwrap(),
            deadline: Duration::from_mins(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_once_and_only_its_owner_sees_it() {
        let (jobs, id) = (MemoryJobs::default(), MinionJobId::fresh());
        let sleep = || Ready::Sleep(Duration::from_secs(9)).run();
        let args = [Value::Int(9)];
        assert_eq!(jobs.submit(order(&id, "boss"), &args, sleep()).unwrap(), id);
        assert_eq!(jobs.submit(order(&id, "boss"), &args, sleep()).unwrap(), id);
        assert!(matches!(jobs.submit(order(&id, "eve"), &args, sleep()), Err(Refusal::Fault(_))));
        assert!(matches!(jobs.submit(order(&id, "boss"), &[Value::Int(8)], sleep()), Err(Refusal::Fault(_))));
        let wait = |time| jobs.wait(&id, "boss", Duration::from_secs(time));
        assert_eq!(wait(0).await, Some((JobStatus::Running, Value::Int(-1))));
        assert!(matches!(wait(60).await, Some((JobStatus::Finished, Value::Double(_)))));
        assert_eq!(jobs.wait(&id, "eve", Duration::ZERO).await, None);
        assert_eq!(jobs.open_ids("boss"), [(id.clone(), JobStatus::Finished)]);
    }

    #[tokio::test(start_paused = true)]
    async fn its_owner_cancels_a_job() {
        let (jobs, id) = (MemoryJobs::default(), MinionJobId::fresh());
        jobs.submit(order(&id, "boss"), &[], Ready::Sleep(Duration::from_mins(10)).run()).unwrap();
        jobs.cancel(&id, "eve");
        assert!(matches!(jobs.wait(&id, "boss", Duration::ZERO).await, Some((JobStatus::Running, _))));
        jobs.cancel(&id, "boss");
        let Some((_, value)) = jobs.wait(&id, "boss", Duration::ZERO).await else { panic!("not known") };
        assert_eq!(RemoteError::from_value(&value).unwrap().kind, "Cancelled");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_a_job() {
        let (jobs, id) = (MemoryJobs::default(), MinionJobId::fresh());
        jobs.submit(order(&id, "boss"), &[], Ready::Sleep(Duration::from_mins(10)).run()).unwrap();
        let Some((JobStatus::Finished, value)) = jobs.wait(&id, "boss", Duration::from_mins(5)).await else {
            panic!("not finished")
        };
        assert_eq!(RemoteError::from_value(&value).unwrap().kind, "TimedOut");
    }
}
