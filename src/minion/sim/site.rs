//! One simulated host: the native module, and jobs of its own.

use std::{sync::Arc, time::Duration};

use super::{
    jobs::MemoryJobs,
    native::{MODULE, Native},
};
use crate::{
    ids::{MethodName, MinionJobId, ModuleName},
    minion::{
        backend::{Backend, CallOrder, JobOrder, LogPart, Refusal},
        view::{ModuleView, Stamp},
    },
    wire::{JobStatus, RemoteError, Value},
};

#[derive(Debug, Default)]
pub(super) struct Site {
    jobs: MemoryJobs,
}

impl Backend for Site {
    type Target = Native;

    fn modules(&self) -> Vec<Arc<ModuleView>> {
        MODULE.iter().cloned().collect()
    }

    fn module(&self, name: &ModuleName) -> Option<Arc<ModuleView>> {
        MODULE.as_ref().filter(|module| module.name == *name || module.full_name == *name).cloned()
    }

    fn resolve(&self, method: &MethodName) -> Option<Native> {
        self.module(method.module()).and_then(|_| Native::find(method.method()))
    }

    fn stamp(&self, _: &Native) -> Stamp {
        Stamp { version: MODULE.as_ref().map(|module| module.version.clone()), digest: None }
    }

    fn check(&self, target: &Native, args: &[Value]) -> Result<(), RemoteError> {
        target.check(args).map(drop)
    }

    async fn call(&self, target: Native, args: Vec<Value>, order: CallOrder) -> Result<Value, RemoteError> {
        match tokio::time::timeout(order.deadline, target.check(&args)?.run()).await {
            Ok(answer) => answer,
            Err(_) => Err(RemoteError::new("TimedOut", format!("the call took longer than {:?}", order.deadline))),
        }
    }

    async fn submit(&self, target: Native, args: Vec<Value>, order: JobOrder) -> Result<MinionJobId, Refusal> {
        let work = target.check(&args).map_err(Refusal::Error)?;
        self.jobs.submit(order, &args, work)
    }

    async fn knows(&self, id: &MinionJobId, owner: &str, _: &MethodName) -> bool {
        self.job(id, owner).await.is_some()
    }

    async fn job(&self, id: &MinionJobId, owner: &str) -> Option<(JobStatus, Value)> {
        self.jobs.wait(id, owner, Duration::ZERO).await
    }

    async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Option<(JobStatus, Value)> {
        self.jobs.wait(id, owner, time).await
    }

    async fn tail(&self, id: &MinionJobId, owner: &str) -> Option<(String, String)> {
        self.job(id, owner).await.map(|_| (String::new(), String::new()))
    }

    async fn progress(&self, id: &MinionJobId, owner: &str) -> Option<(u64, u64)> {
        self.job(id, owner).await.map(|_| (0, 0))
    }

    async fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> Option<LogPart> {
        let (status, _) = self.job(id, owner).await?;
        Some(LogPart { bytes: Vec::new(), next: offset, ended: status != JobStatus::Running })
    }

    async fn open_ids(&self, owner: &str) -> Vec<(MinionJobId, JobStatus)> {
        self.jobs.open_ids(owner)
    }
}
