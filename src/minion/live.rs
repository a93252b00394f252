//! A real minion's backend: the plugin registry for calls, the durable jobs for `async.` ones.

use std::{sync::Arc, time::Duration};

use super::{
    backend::{Answered, Backend, CallOrder, Found, JobOrder, Known, LogPart, Refusal, Sealed},
    modules::{Modules, PluginMethod},
    view::{ModuleState, ModuleView, Stamp},
};
use crate::{
    ids::{MethodName, MinionJobId, ModuleName},
    jobs::{self, Jobs, Submission, SubmitError},
    wire::{Facts, Fault, JobStatus, RemoteError, Value},
};

/// Modules and jobs of this machine.
pub(super) struct Live {
    pub(super) modules: Modules,
    pub(super) jobs: Jobs,
}

impl Backend for Live {
    type Target = PluginMethod;

    fn modules(&self) -> Vec<Arc<ModuleView>> {
        self.modules.views()
    }

    fn states(&self) -> Vec<ModuleState> {
        self.modules.states()
    }

    fn module(&self, name: &ModuleName) -> Option<Arc<ModuleView>> {
        self.modules.view(name)
    }

    fn known(&self, name: &MethodName) -> Option<Known> {
        self.modules.known(name)
    }

    fn resolve(&self, name: &MethodName) -> Option<PluginMethod> {
        self.modules.resolve(name)
    }

    fn stamp(&self, target: &PluginMethod) -> Stamp {
        target.stamp()
    }

    fn seal(&self, target: &PluginMethod, args: Vec<Value>) -> Sealed {
        target.seal(args)
    }

    fn check(&self, target: &PluginMethod, args: &[Value]) -> Result<(), RemoteError> {
        target.check(args)
    }

    async fn facts(&self, want: &[&str], caller: &str, time: Duration) -> Facts {
        self.modules.facts(want, caller, time).await
    }

    async fn call(&self, target: PluginMethod, args: Vec<Value>, order: CallOrder) -> Answered {
        self.modules.call(target, args, order).await
    }

    async fn submit(&self, target: PluginMethod, args: Vec<Value>, order: JobOrder) -> Result<MinionJobId, Refusal> {
        let submission = Submission {
            id: order.id,
            owner: order.owner,
            overlord_job: order.overlord_job,
            method: order.method,
            args,
            digest: target.digest(),
            grant: self.modules.grant(&target),
            settings: self.modules.settings(&target),
            limits: self.modules.limits.clone(),
            deadline: order.deadline,
        };
        self.jobs.submit(submission).await.map_err(|error| refusal(&error))
    }

    async fn knows(&self, id: &MinionJobId, owner: &str, method: &MethodName, args: &[Value]) -> Result<bool, Refusal> {
        self.jobs.knows(id, owner, method, args).await.map_err(|error| refusal(&error))
    }

    async fn job(&self, id: &MinionJobId, owner: &str) -> Found<(JobStatus, Value)> {
        Ok(told(self.jobs.status(id, owner).await)?.map(|report| report.state.answer()))
    }

    async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Found<(JobStatus, Value)> {
        Ok(told(self.jobs.wait(id, owner, time).await)?.map(|report| report.state.answer()))
    }

    async fn cancel(&self, id: &MinionJobId, owner: &str) -> Found<(JobStatus, Value)> {
        Ok(told(self.jobs.cancel(id, owner).await)?.map(|state| state.answer()))
    }

    async fn tail(&self, id: &MinionJobId, owner: &str) -> Found<(String, String)> {
        told(self.jobs.tail_output(id, owner).await)
    }

    async fn progress(&self, id: &MinionJobId, owner: &str) -> Found<(u64, u64)> {
        told(self.jobs.progress(id, owner).await)
    }

    async fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> Found<LogPart> {
        let piece = told(self.jobs.log(id, owner, offset).await)?;
        Ok(piece.map(|piece| LogPart { bytes: piece.bytes, next: piece.next, ended: piece.ended }))
    }

    async fn follow(
        &self,
        id: &MinionJobId,
        owner: &str,
        offset: u64,
        time: Duration,
    ) -> Found<(LogPart, (u64, u64, String))> {
        let told = told(self.jobs.follow(id, owner, offset, time).await)?;
        Ok(told.map(|jobs::Told { piece, progress }| {
            let part = LogPart { bytes: piece.bytes, next: piece.next, ended: piece.ended };
            let (done, total, note) = progress.unwrap_or_default();
            (part, (done, total.unwrap_or(0), note))
        }))
    }

    async fn budget(&self, id: &MinionJobId, owner: &str) -> Found<Option<Value>> {
        let budget = told(self.jobs.budget(id, owner).await)?;
        Ok(budget.map(|budget| budget.map(|budget| Value::from_json(&serde_json::json!(budget)))))
    }

    async fn open_ids(&self, owner: &str) -> Result<Vec<(MinionJobId, JobStatus)>, RemoteError> {
        Ok(told(self.jobs.list(owner).await)?.into_iter().map(|job| (job.id, job.status)).collect())
    }
}

/// What was found. A failure of our own is logged, and the caller learns no more than that it should ask
/// again: to answer "unknown" would end the job for its overlord.
fn told<T>(found: Result<T, jobs::Error>) -> Result<T, RemoteError> {
    found.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot read a job");
        RemoteError::new("Internal", "the job's record cannot be read now; ask again")
    })
}

fn refusal(error: &SubmitError) -> Refusal {
    let kind = match error {
        // Somebody else's id: a fault that says no more than that.
        SubmitError::Mismatch { .. } => return Refusal::Fault(Fault::refused(error.to_string())),
        SubmitError::Busy { .. } | SubmitError::Unread { .. } | SubmitError::ShuttingDown => "Busy",
        SubmitError::Purged { .. } => "Purged",
        SubmitError::Cancelled { .. } => "Cancelled",
        SubmitError::NoSpace { .. } => "NoSpace",
        _ => "Internal",
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Refusal::Error(RemoteError::new(kind, format!("{error}{cause}")))
}
