//! One simulated host: its modules, and jobs of its own.

use std::{sync::Arc, time::Duration};

use super::{
    jobs::MemoryJobs,
    native::{MODULE, Native},
};
use crate::{
    ids::{MethodName, MinionJobId, ModuleName},
    minion::{
        backend::{Answered, Backend, CallOrder, Found, JobOrder, Known, LogPart, Refusal, Sealed},
        modules::{Modules, PluginMethod},
        view::{ModuleState, ModuleView, Stamp},
    },
    plugin::Mode,
    wire::{Facts, JobStatus, RemoteError, Value},
};

pub(super) struct Site {
    jobs: MemoryJobs,
    /// Real modules, the same for all hosts, in place of the native one.
    plugins: Option<Arc<Modules>>,
}

/// A method of either kind.
pub(super) enum SiteMethod {
    Native(Native),
    Plugin(Box<PluginMethod>),
}

impl Site {
    pub(super) fn new(plugins: Option<Arc<Modules>>) -> Self {
        Self { jobs: MemoryJobs::default(), plugins }
    }

    fn native(&self) -> Option<&'static Arc<ModuleView>> {
        MODULE.as_ref().filter(|_| self.plugins.is_none())
    }
}

impl Backend for Site {
    type Target = SiteMethod;

    fn modules(&self) -> Vec<Arc<ModuleView>> {
        match &self.plugins {
            Some(plugins) => plugins.views(),
            None => self.native().cloned().into_iter().collect(),
        }
    }

    fn states(&self) -> Vec<ModuleState> {
        match &self.plugins {
            Some(plugins) => plugins.states(),
            None => self.native().map(|module| ModuleState::native(module)).into_iter().collect(),
        }
    }

    fn module(&self, name: &ModuleName) -> Option<Arc<ModuleView>> {
        match &self.plugins {
            Some(plugins) => plugins.view(name),
            None => self.native().filter(|module| module.name == *name || module.full_name == *name).cloned(),
        }
    }

    fn known(&self, method: &MethodName) -> Option<Known> {
        match &self.plugins {
            Some(plugins) => plugins.known(method),
            None => self
                .module(method.module())
                .map(|module| Known { modules: [module.name.clone(), module.full_name.clone()], read_only: false }),
        }
    }

    fn resolve(&self, method: &MethodName) -> Option<SiteMethod> {
        match &self.plugins {
            Some(plugins) => plugins.resolve(method).map(|method| SiteMethod::Plugin(Box::new(method))),
            None => self.module(method.module()).and_then(|_| Native::find(method.method())).map(SiteMethod::Native),
        }
    }

    fn stamp(&self, target: &SiteMethod) -> Stamp {
        match target {
            SiteMethod::Plugin(method) => method.stamp(),
            SiteMethod::Native(_) => {
                Stamp { version: self.native().map(|module| module.version.clone()), digest: None }
            }
        }
    }

    fn seal(&self, target: &SiteMethod, args: Vec<Value>) -> Sealed {
        match target {
            SiteMethod::Plugin(method) => method.seal(args),
            SiteMethod::Native(_) => Sealed { args, misfit: None },
        }
    }

    fn check(&self, target: &SiteMethod, args: &[Value]) -> Result<(), RemoteError> {
        match target {
            SiteMethod::Plugin(method) => method.check(args),
            SiteMethod::Native(method) => method.check(args).map(drop),
        }
    }

    async fn facts(&self, want: &[&str], caller: &str, time: Duration) -> Facts {
        match &self.plugins {
            Some(plugins) => plugins.facts(want, caller, time).await,
            None => Facts::new(),
        }
    }

    async fn call(&self, target: SiteMethod, args: Vec<Value>, order: CallOrder) -> Answered {
        let deadline = order.deadline;
        let work = work(self.plugins.clone(), target, args, order);
        tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
            Err(RemoteError::timed_out(format!("the call took longer than {deadline:?}"), deadline)).into()
        })
    }

    async fn submit(&self, target: SiteMethod, args: Vec<Value>, order: JobOrder) -> Result<MinionJobId, Refusal> {
        let id = order.id.clone().unwrap_or_else(MinionJobId::fresh);
        let mode = if order.method.checked().is_some() { Mode::Check } else { Mode::Perform };
        let call = CallOrder { id, caller: order.owner.clone(), deadline: order.deadline, mode };
        let work = work(self.plugins.clone(), target, args.clone(), call);
        let work = async move { work.await.answer };
        self.jobs.submit(order, &args, work)
    }

    async fn knows(&self, id: &MinionJobId, owner: &str, method: &MethodName, args: &[Value]) -> Result<bool, Refusal> {
        self.jobs.knows(id, owner, method, args)
    }

    async fn job(&self, id: &MinionJobId, owner: &str) -> Found<(JobStatus, Value)> {
        self.wait(id, owner, Duration::ZERO).await
    }

    async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Found<(JobStatus, Value)> {
        Ok(self.jobs.wait(id, owner, time).await)
    }

    async fn cancel(&self, id: &MinionJobId, owner: &str) -> Found<(JobStatus, Value)> {
        self.jobs.cancel(id, owner);
        self.wait(id, owner, Duration::ZERO).await
    }

    async fn tail(&self, id: &MinionJobId, owner: &str) -> Found<(String, String)> {
        Ok(self.job(id, owner).await?.map(|_| (String::new(), String::new())))
    }

    async fn progress(&self, id: &MinionJobId, owner: &str) -> Found<(u64, u64)> {
        Ok(self.job(id, owner).await?.map(|_| (0, 0)))
    }

    async fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> Found<LogPart> {
        let part = |(status, _)| LogPart { bytes: Vec::new(), next: offset, ended: status != JobStatus::Running };
        Ok(self.job(id, owner).await?.map(part))
    }

    async fn follow(
        &self,
        id: &MinionJobId,
        owner: &str,
        offset: u64,
        time: Duration,
    ) -> Found<(LogPart, (u64, u64, String))> {
        self.wait(id, owner, time).await?;
        Ok(self.log(id, owner, offset).await?.map(|part| (part, (0, 0, String::new()))))
    }

    async fn budget(&self, id: &MinionJobId, owner: &str) -> Found<Option<Value>> {
        Ok(self.job(id, owner).await?.map(|_| None))
    }

    async fn open_ids(&self, owner: &str) -> Result<Vec<(MinionJobId, JobStatus)>, RemoteError> {
        Ok(self.jobs.open_ids(owner))
    }
}

async fn work(plugins: Option<Arc<Modules>>, target: SiteMethod, args: Vec<Value>, order: CallOrder) -> Answered {
    match (target, plugins) {
        (SiteMethod::Plugin(method), Some(plugins)) => plugins.call(*method, args, order).await,
        (SiteMethod::Plugin(_), None) => Err(RemoteError::new("Internal", "a plugin's method without plugins")).into(),
        (SiteMethod::Native(_), _) if order.mode != Mode::Perform => {
            Err(RemoteError::new("NotCallable", "a simulated method cannot be checked, only called")).into()
        }
        (SiteMethod::Native(method), _) => match method.check(&args) {
            Ok(method) => method.run().await.into(),
            Err(error) => Err(error).into(),
        },
    }
}
