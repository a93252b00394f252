//! What stands behind the protocol: modules that can be called, and jobs.
//!
//! The server and the dispatcher know only this. A real minion's backend is the plugin registry and
//! the durable jobs; a simulated one's is native methods and jobs in memory. Both go through the same
//! server, checks and bounds.

use std::{future::Future, sync::Arc, time::Duration};

use super::view::{ModuleState, ModuleView, Stamp};
use crate::{
    ids::{MethodName, MinionJobId, ModuleName, OverlordJobId},
    plugin::{Budget, Mode},
    wire::{Facts, Fault, JobStatus, RemoteError, Value},
};

/// A call that has passed every check, on its way to a module.
#[derive(Debug, Clone)]
pub(super) struct CallOrder {
    /// By which the module, its log and the audit log know the call.
    pub(super) id: MinionJobId,
    /// The common name of the caller.
    pub(super) caller: String,
    /// How long it may take from now on.
    pub(super) deadline: Duration,
    /// Whether it is performed or only checked.
    pub(super) mode: Mode,
}

/// Arguments whose secrets are sealed, so that they may be written down.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) args: Vec<Value>,
    /// Why they do not fit a method that takes secrets. All of them are sealed then: a secret may be in any place.
    pub(super) misfit: Option<RemoteError>,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) answer: Result<Value, RemoteError>,
    /// What it has used; nothing where nobody counts.
    pub(super) budget: Option<Budget>,
}

impl From<Result<Value, RemoteError>> for Answered {
    fn from(answer: Result<Value, RemoteError>) -> Self {
        Self { answer, budget: None }
    }
}

/// A job on its way to be accepted.
#[derive(Debug, Clone)]
pub(super) struct JobOrder {
    /// The id that the caller chose.
    pub(super) id: Option<MinionJobId>,
    /// The common name of the caller, who alone may ask about the job.
    pub(super) owner: String,
    /// The overlord's job that it is a part of.
    pub(super) overlord_job: Option<OverlordJobId>,
    /// The method, by its short or full name; of a check, with what comes before it.
    pub(super) method: MethodName,
    /// How long it may take from now on.
    pub(super) deadline: Duration,
}

/// A part of a job's log.
#[derive(Debug, Clone)]
pub(super) struct LogPart {
    pub(super) bytes: Vec<u8>,
    pub(super) next: u64,
    pub(super) ended: bool,
}

/// Why a job was not accepted.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The caller is told as a failed method would be.
    Error(RemoteError),
    /// The request itself was wrong.
    Fault(Fault),
    /// The caller may not do this.
    Denied(Fault),
}

/// What the policy is told of a module's method.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The module's short and full name.
    pub(super) modules: [ModuleName; 2],
    /// Whether the method's documentation says that it changes nothing.
    pub(super) read_only: bool,
}

/// What a question about a job comes to. `None`: there is no such job of this owner's. An error: it
/// cannot be told now, which says nothing about the job.
pub(super) type Found<T> = Result<Option<T>, RemoteError>;

/// Modules and jobs of one minion.
pub(super) trait Backend: Send + Sync + 'static {
    /// A method that was found, of the version that was found.
    type Target: Send + 'static;

    /// Every module, by its short name.
    fn modules(&self) -> Vec<Arc<ModuleView>>;

    /// What is served, and what waits.
    fn states(&self) -> Vec<ModuleState>;

    /// One module, by its short or full name.
    fn module(&self, name: &ModuleName) -> Option<Arc<ModuleView>>;

    /// The names of the method's module, if there is such a module.
    fn known(&self, method: &MethodName) -> Option<Known>;

    /// Finds a method that can be called.
    fn resolve(&self, method: &MethodName) -> Option<Self::Target>;

    /// Which code a target is.
    fn stamp(&self, target: &Self::Target) -> Stamp;

    /// Seals what is secret of a call's arguments.
    fn seal(&self, target: &Self::Target, args: Vec<Value>) -> Sealed;

    /// Whether the arguments fit the method, before a job is made of them.
    fn check(&self, target: &Self::Target, args: &[Value]) -> Result<(), RemoteError>;

    /// What the modules tell of this machine: all that they know, or what is wanted.
    fn facts(&self, want: &[&str], caller: &str, time: Duration) -> impl Future<Output = Facts> + Send;

    /// Calls and waits.
    fn call(&self, target: Self::Target, args: Vec<Value>, order: CallOrder) -> impl Future<Output = Answered> + Send;

    /// Accepts a job.
    fn submit(
        &self,
        target: Self::Target,
        args: Vec<Value>,
        order: JobOrder,
    ) -> impl Future<Output = Result<MinionJobId, Refusal>> + Send;

    /// Whether this call by `owner` is the job of this id already; a refusal if the id is another's.
    fn knows(
        &self,
        id: &MinionJobId,
        owner: &str,
        method: &MethodName,
        args: &[Value],
    ) -> impl Future<Output = Result<bool, Refusal>> + Send;

    /// The state of a job of `owner`'s.
    fn job(&self, id: &MinionJobId, owner: &str) -> impl Future<Output = Found<(JobStatus, Value)>> + Send;

    /// The same, answered when the job ends or the time is over.
    fn wait(
        &self,
        id: &MinionJobId,
        owner: &str,
        time: Duration,
    ) -> impl Future<Output = Found<(JobStatus, Value)>> + Send;

    /// Ends a job of `owner`'s, and how it stands then.
    fn cancel(&self, id: &MinionJobId, owner: &str) -> impl Future<Output = Found<(JobStatus, Value)>> + Send;

    /// The ends of what counts as standard output and as standard error.
    fn tail(&self, id: &MinionJobId, owner: &str) -> impl Future<Output = Found<(String, String)>> + Send;

    /// How far the job says it is: of how much, how much.
    fn progress(&self, id: &MinionJobId, owner: &str) -> impl Future<Output = Found<(u64, u64)>> + Send;

    /// The log from `offset` on.
    fn log(&self, id: &MinionJobId, owner: &str, offset: u64) -> impl Future<Output = Found<LogPart>> + Send;

    /// The log from `offset` on and the progress, as soon as the log goes on there, the job ends, or the time is over.
    fn follow(
        &self,
        id: &MinionJobId,
        owner: &str,
        offset: u64,
        time: Duration,
    ) -> impl Future<Output = Found<(LogPart, (u64, u64, String))>> + Send;

    /// What the job has used, as JSON; `None` inside for one that has not ended, or whose end nobody measured.
    fn budget(&self, id: &MinionJobId, owner: &str) -> impl Future<Output = Found<Option<Value>>> + Send;

    /// Every job of `owner`'s that is kept.
    fn open_ids(&self, owner: &str) -> impl Future<Output = Result<Vec<(MinionJobId, JobStatus)>, RemoteError>> + Send;
}
