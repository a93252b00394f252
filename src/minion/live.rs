//! A real minion's backend: the plugin registry for calls, the durable jobs for `async.` ones.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    backend::{Backend, CallOrder, JobOrder, LogPart, Refusal},
    sinks::CallLog,
    view::{MethodView, ModuleView, Stamp},
};
use crate::{
    access::{Grant, Grants},
    ids::{MethodName, MinionJobId, ModuleName},
    jobs::{self, Jobs, Submission, SubmitError},
    plugin::{CallContext, Clock, Limits, Method, Module, Plugin, Registry, check_arguments},
    wire::{Fault, JobStatus, RemoteError, Value},
};

/// Modules and jobs of this machine.
pub(super) struct Live {
    pub(super) registry: Registry,
    pub(super) jobs: Jobs,
    pub(super) grants: Grants,
    pub(super) settings: BTreeMap<ModuleName, BTreeMap<String, String>>,
    pub(super) limits: Limits,
}

/// A method of one version of a plugin, which stays loaded for as long as this does.
pub(super) struct LiveTarget {
    plugin: Plugin,
    name: MethodName,
    method: Method,
    short: ModuleName,
    full: ModuleName,
    stamp: Stamp,
}

impl Live {
    fn grant(&self, target: &LiveTarget) -> Grant {
        self.grants.for_module(&target.short, &target.full)
    }

    fn settings(&self, target: &LiveTarget) -> BTreeMap<String, String> {
        let of = |name| self.settings.get(name).cloned().unwrap_or_default();
        let mut settings = of(&target.short);
        settings.extend(of(&target.full));
        settings
    }
}

impl Backend for Live {
    type Target = LiveTarget;

    fn modules(&self) -> Vec<Arc<ModuleView>> {
        self.registry.catalog().modules().map(|module| Arc::new(view(module))).collect()
    }

    fn module(&self, name: &ModuleName) -> Option<Arc<ModuleView>> {
        self.registry.catalog().module(name).map(|(_, module)| Arc::new(view(module)))
    }

    fn resolve(&self, name: &MethodName) -> Option<LiveTarget> {
        let catalog = self.registry.catalog();
        let found = catalog.resolve(name).ok()?;
        Some(LiveTarget {
            plugin: found.plugin.clone(),
            name: name.clone(),
            method: found.method.clone(),
            short: found.module.name.clone(),
            full: found.module.full_name.clone(),
            stamp: Stamp { version: Some(found.module.version.clone()), digest: Some(found.module.digest) },
        })
    }

    fn stamp(&self, target: &LiveTarget) -> Stamp {
        target.stamp.clone()
    }

    fn check(&self, target: &LiveTarget, args: &[Value]) -> Result<(), RemoteError> {
        check_arguments(&target.method, args).map_err(|error| error.to_remote_error())
    }

    async fn call(&self, target: LiveTarget, args: Vec<Value>, order: CallOrder) -> Result<Value, RemoteError> {
        let context = CallContext {
            job_id: MinionJobId::fresh().to_string(),
            caller: order.caller,
            deadline: order.deadline,
            grant: Arc::new(self.grant(&target)),
            settings: Arc::new(self.settings(&target)),
            limits: self.limits.clone(),
            events: Arc::new(CallLog(target.name.clone())),
            dry_run: false,
            cancelled: Arc::default(),
            clock: Clock::Ticks,
        };
        target.plugin.call(&target.name, &args, context).await.map_err(|error| {
            if let Some(trace) = error.trace() {
                tracing::warn!(method = %target.name, %error, trace, "a module broke off");
            }
            error.to_remote_error()
        })
    }

    async fn submit(&self, target: LiveTarget, args: Vec<Value>, order: JobOrder) -> Result<MinionJobId, Refusal> {
        let Some(digest) = target.stamp.digest else {
            return Err(Refusal::Error(RemoteError::new("Internal", "the module has no digest")));
        };
        let submission = Submission {
            id: order.id,
            owner: order.owner,
            overlord_job: order.overlord_job,
            method: order.method,
            args,
            digest,
            grant: self.grant(&target),
            settings: self.settings(&target),
            limits: self.limits.clone(),
            deadline: order.deadline,
        };
        self.jobs.submit(submission).await.map_err(|error| refusal(&error))
    }

    async fn knows(&self, id: &MinionJobId, owner: &str, method: &MethodName) -> bool {
        noted(self.jobs.status(id, owner).await).is_some_and(|report| report.method == *method)
    }

    async fn job(&self, id: &MinionJobId, owner: &str) -> Option<(JobStatus, Value)> {
        noted(self.jobs.status(id, owner).await).map(|report| report.state.answer())
    }

    async fn wait(&self, id: &MinionJobId, owner: &str, time: Duration) -> Option<(JobStatus, Value)> {
        noted(self.jobs.wait(id, owner, time).await).map(|report| report.state.answer())
    }

    async fn tail(&self, id: &MinionJobId, owner: &str) -> Option<(String, String)> {
        noted(self.jobs.tail_output(id, owner).await)
    }

    async fn progress(&self, id: &MinionJobId, owner: &str) -> Option<(u64, u64)> {
        noted(self.jobs.progress(id, owner).await)
    }

    async fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> Option<LogPart> {
        let piece = noted(self.jobs.log(id, owner, offset).await)?;
        Some(LogPart { bytes: piece.bytes, next: piece.next, ended: piece.ended })
    }

    async fn open_ids(&self, owner: &str) -> Vec<(MinionJobId, JobStatus)> {
        let list = self.jobs.list(owner).await.map(Some);
        noted(list).unwrap_or_default().into_iter().map(|job| (job.id, job.status)).collect()
    }
}

/// What was found; a failure of our own is logged, and looks to the caller like nothing found.
fn noted<T>(found: Result<Option<T>, jobs::Error>) -> Option<T> {
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read a job");
        None
    })
}

fn refusal(error: &SubmitError) -> Refusal {
    let kind = match error {
        // Somebody else's id: a fault that says no more than that.
        SubmitError::Mismatch { .. } => return Refusal::Fault(Fault::refused(error.to_string())),
        SubmitError::Busy { .. } | SubmitError::ShuttingDown => "Busy",
        SubmitError::Purged { .. } => "Purged",
        SubmitError::NoSpace { .. } => "NoSpace",
        _ => "Internal",
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Refusal::Error(RemoteError::new(kind, format!("{error}{cause}")))
}

fn view(module: &Module) -> ModuleView {
    let method = |(name, method): (&String, &Method)| {
        let view = MethodView { params: method.params.clone(), result: method.result.clone(), doc: method.doc.clone() };
        (name.clone(), view)
    };
    ModuleView {
        name: module.name.clone(),
        full_name: module.full_name.clone(),
        version: module.version.clone(),
        description: module.description.clone(),
        methods: module.methods.iter().map(method).collect(),
        uncallable: module.uncallable.clone(),
    }
}
