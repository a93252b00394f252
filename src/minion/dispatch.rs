//! From a call's name to its answer: who may, which method, within what time, and the audit line.
//!
//! ```text
//! admit: certificate still good? may call anything? ── no ──▶ fault, audited
//! answer: headers, XML-RPC                          ── malformed ──▶ fault, audited
//! judge: this method, these arguments?              ── no ──▶ fault, audited
//! route: system.… │ jobs.… │ overlord.… │ [async.][check.]M.m    ── failure of the method ──▶ REMOTE_ERROR, a result
//! ```
//!
//! `check.M.m` is the call of which nothing but the plan is wanted. As a job's method it keeps its name,
//! so that a job id is for the check or for the call, never for both.
//!
//! What of the arguments is secret is sealed as soon as the method is known, before anything is written down;
//! of arguments whose method is not known only the number is.
//!
//! A call goes on when its caller hangs up: it runs in a task of its own, to its end or its deadline,
//! so that the audit log tells what really happened. Only `jobs.wait` and `jobs.follow` end with their connection.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    backend::{Answered, Backend, CallOrder, JobOrder, Refusal, Sealed},
    builtin::{Builtin, RESERVED_MODULES},
    caller::{Caller, Extras},
    delegation::{self, SubOverlord},
    entry::{About, Entry},
    facts, identity,
    intake::Held,
    introspect, job_methods, multicall, policy,
    rules::RulesInForce,
    transfers::Transfers,
};
use crate::{
    access::{AuditLog, AuditOutcome, Written},
    fleet::{DELEGATE, MAP, relayed},
    ids::{HostName, MethodName, MinionJobId},
    plugin::{Budget, Mode},
    tls::InForce,
    wire::{Answer, Call, Facts, Fault, Query, RemoteError, Value, parse_call},
};

/// How much longer than its deadline a call is waited for: modules keep the deadline themselves, and
/// their own words about it are better than ours.
const GRACE: Duration = Duration::from_millis(500);

/// What one minion needs to answer calls.
pub(super) struct Dispatcher<B> {
    pub(super) backend: B,
    /// The minion's name, where one process is many.
    pub(super) name: Option<HostName>,
    pub(super) audit: Arc<AuditLog>,
    /// Who may call what.
    pub(super) rules: RulesInForce,
    pub(super) identity: InForce,
    /// How long a plain call may take.
    pub(super) call_time: Duration,
    /// How long a job may take.
    pub(super) job_time: Duration,
    /// Calls that run at once.
    pub(super) places: Arc<Semaphore>,
    /// What bytes go through that are no calls; nothing where there are no files.
    pub(super) transfers: Option<Arc<Transfers>>,
    /// Through which it passes calls on, if it is an overlord too.
    pub(super) overlord: Option<Arc<SubOverlord>>,
    /// Set when the minion is stopping.
    pub(super) stopping: CancellationToken,
    /// Calls under way, which a graceful stop waits for.
    pub(super) calls: TaskTracker,
}

/// What came of a call that was let in.
pub(super) struct Done {
    answer: Result<Value, Refusal>,
    about: About,
}

impl Done {
    pub(super) fn value(answer: Result<Value, RemoteError>) -> Self {
        Self { answer: answer.map_err(Refusal::Error), about: About::default() }
    }

    fn error(kind: &str, message: impl Into<String>) -> Self {
        Self::value(Err(RemoteError::new(kind, message)))
    }

    /// As it travels, with what the call has used beside it.
    fn into_reply(self) -> Reply {
        let budget = self.about.budget.clone();
        Reply { answer: self.into_answer(), budget }
    }

    /// As it travels.
    pub(super) fn into_answer(self) -> Answer {
        match self.answer {
            Ok(value) => Answer::Value(value),
            Err(Refusal::Error(error)) => Answer::Value(error.into()),
            Err(Refusal::Fault(fault) | Refusal::Denied(fault)) => Answer::Fault(fault),
        }
    }
}

/// An answer, and what goes into its headers.
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// What the call has used, if that was asked for.
    pub(super) budget: Option<Budget>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, budget: None }
    }
}

impl<B: Backend> Dispatcher<B> {
    /// Whether the caller may call at all, asked for every request before its body is read.
    pub(super) async fn admit(&self, caller: &Caller) -> Result<(), Fault> {
        let current =
            self.identity.check(&caller.peer, &caller.chain).map_err(|error| format!("access denied: {error}"));
        let allowed = current
            .and_then(|()| self.rules.now().policy.may_call(caller.asker()).map_err(|denied| denied.to_string()));
        let Err(why) = allowed else { return Ok(()) };
        let (extras, about) = Default::default();
        let written = self.record(&Entry::new(caller, &extras, None), AuditOutcome::Denied, Some(&why), &about);
        if written.done().await {
            tracing::warn!(caller = caller.peer.name, from = %caller.from, why, "a call was denied");
        }
        Err(Fault::refused(why))
    }

    /// Answers a request that was admitted.
    pub(super) async fn answer(
        self: Arc<Self>,
        caller: Arc<Caller>,
        extras: Result<Extras, Fault>,
        body: &[u8],
        held: Held,
    ) -> Reply {
        let read = extras.and_then(|extras| {
            let call = parse_call(body).map_err(|error| Fault::refused(format!("malformed request: {error}")))?;
            Ok((extras, call))
        });
        let (extras, call) = match read {
            Ok(read) => read,
            Err(fault) => {
                let (extras, about) = Default::default();
                let entry = Entry::new(&caller, &extras, None);
                self.record(&entry, AuditOutcome::Malformed, Some(&fault.message), &about).done().await;
                return Answer::Fault(fault).into();
            }
        };
        if job_methods::waits(&call.method) || delegation::waits(&call) {
            return self.run(&caller, &extras, call).await.into_answer().into();
        }
        let wanted = extras.budget;
        let tracker = self.calls.clone();
        let task = tracker.spawn(async move {
            let _held = held;
            self.run(&caller, &extras, call).await.into_reply()
        });
        let mut reply = task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call broke off");
            Answer::Value(RemoteError::new("Internal", "the minion failed while answering; see its log").into()).into()
        });
        reply.budget = reply.budget.filter(|_| wanted);
        reply
    }

    /// Runs one call and writes into the audit log what came of it.
    pub(super) async fn run(&self, caller: &Caller, extras: &Extras, mut call: Call) -> Done {
        // Before anybody judges the arguments.
        let query = facts::take_query(&mut call.params);
        let entry = Entry::new(caller, extras, Some(&call));
        let judged = policy::judge(self, caller, &call).and_then(|()| match query {
            Ok(Some(_)) => policy::may_tell_facts(self, caller),
            _ => Ok(()),
        });
        let done = match judged {
            Ok(()) => match query {
                Ok(query) => self.route(&entry, call, query).await,
                Err(error) => Done::value(Err(error)),
            },
            Err(denied) => {
                self.show_denied(&entry, &call);
                Done { answer: Err(Refusal::Denied(denied)), about: About::default() }
            }
        };
        let (outcome, error) = match &done.answer {
            Ok(_) if done.about.job.is_some() => (AuditOutcome::Accepted, None),
            Ok(_) => (AuditOutcome::Ok, None),
            Err(Refusal::Error(error)) => (AuditOutcome::Failed, Some(error.to_string())),
            Err(Refusal::Fault(fault)) => (AuditOutcome::Failed, Some(fault.message.clone())),
            Err(Refusal::Denied(fault)) => (AuditOutcome::Denied, Some(fault.message.clone())),
        };
        self.record(&entry, outcome, error.as_deref(), &done.about).done().await;
        done
    }

    /// Has the arguments of a call that was denied written down, as far as it is known what of them is secret.
    fn show_denied(&self, entry: &Entry<'_>, call: &Call) {
        if Builtin::find(&call.method).is_some_and(|builtin| builtin.name != "system.multicall") {
            return entry.show(&call.params);
        }
        let name = call.method.strip_prefix("async.").unwrap_or(&call.method);
        let Ok(name) = name.parse::<MethodName>() else { return };
        if let Some(target) = self.backend.resolve(&name.checked().unwrap_or(name)) {
            entry.show(&self.backend.seal(&target, call.params.clone()).args);
        }
    }

    pub(super) fn record(
        &self,
        entry: &Entry<'_>,
        outcome: AuditOutcome,
        error: Option<&str>,
        about: &About,
    ) -> Written {
        entry.record(&self.audit, self.name.as_ref(), outcome, error, about)
    }

    /// `system.audit_head`: what to note elsewhere, so that nobody can write the log anew.
    fn audit_head(&self, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
        let [] = builtin.args(params)?;
        let head =
            self.audit.head().ok_or_else(|| RemoteError::new("NotCallable", "this minion keeps no audit log"))?;
        Ok(head.to_string().into())
    }

    /// The methods that are the minion's own.
    async fn answer_itself(
        &self,
        entry: &Entry<'_>,
        builtin: &'static Builtin,
        params: Vec<Value>,
        query: Option<&Query>,
    ) -> Done {
        let Entry { caller, extras, .. } = *entry;
        if query.is_some() {
            return Done::error("NotCallable", format!("`{}` takes no condition on facts", builtin.name));
        }
        match builtin.name {
            // Each call in there is written down by itself, when its types are known.
            "system.multicall" => entry.show(&multicall::names(&params)),
            // What of the arguments within is secret, only the host behind knows.
            DELEGATE => entry.show(params.get(..2).unwrap_or_default()),
            _ => entry.show(&params),
        }
        match builtin.name {
            "system.facts" if params.is_empty() => Done::value(Ok(Value::Struct(self.facts(entry, &[]).await))),
            "system.multicall" => Done::value(multicall::run(self, caller, extras, builtin, params).await),
            _ if Transfers::answers(builtin) => {
                let time = extras.timeout.map_or(self.call_time, |asked| asked.min(self.call_time));
                Done::value(match &self.transfers {
                    Some(transfers) => transfers.answer(&caller.peer.name, extras.digest, builtin, params, time).await,
                    None => Err(RemoteError::new("NotCallable", "a simulated minion has no files")),
                })
            }
            name if name.starts_with("identity.") => {
                Done::value(identity::answer(&self.identity, caller.peer.role, builtin, params).await)
            }
            DELEGATE => self.pass_on(entry, builtin, params).await,
            MAP => Done::value(self.map(builtin, params)),
            "system.audit_head" => Done::value(self.audit_head(builtin, params)),
            "system.explain" => Done::value(policy::explain(self, builtin, params)),
            name if name.starts_with("system.") => Done::value(introspect::system(&self.backend, builtin, params)),
            _ => Done::value(job_methods::answer(self, builtin, &caller.peer.name, extras.timeout, params).await),
        }
    }

    async fn route(&self, entry: &Entry<'_>, call: Call, query: Option<Query>) -> Done {
        let Call { method, params } = call;
        let Entry { caller, extras, .. } = *entry;
        if let Some(builtin) = Builtin::find(&method) {
            return self.answer_itself(entry, builtin, params, query.as_ref()).await;
        }
        let (name, background) = match method.strip_prefix("async.") {
            Some(name) => (name, true),
            None => (method.as_str(), false),
        };
        let plain = name.strip_prefix("check.").unwrap_or(name);
        if (background || plain != name) && Builtin::find(plain).is_some() {
            let prefix = method.trim_end_matches(plain);
            return Done::error("NotCallable", format!("`{plain}` answers at once; call it without `{prefix}`"));
        }
        let name: MethodName = match name.parse() {
            Ok(name) => name,
            Err(error) => return Done::error("NoSuchMethod", format!("there is no such method: {error}")),
        };
        let (checked, mode) = match name.checked() {
            Some(checked) => (checked, Mode::Check),
            None => (name.clone(), Mode::Perform),
        };
        if RESERVED_MODULES.contains(&checked.module().as_str()) {
            return Done::value(Err(introspect::unknown_builtin(&checked)));
        }
        if !background
            && mode == Mode::Perform
            && introspect::OF_EVERY_MODULE.contains(&name.method())
            && let Some(module) = self.backend.module(name.module())
        {
            entry.show(&params);
            return Done::value(introspect::of_module(&module, name.method(), params));
        }
        let target = self.backend.resolve(&checked);
        let params = match &target {
            None => params,
            Some(target) => {
                let Sealed { args, misfit } = self.backend.seal(target, params);
                entry.show(&args);
                if let Some(error) = misfit {
                    let about = About { stamp: self.backend.stamp(target), ..About::default() };
                    return Done { answer: Err(Refusal::Error(error)), about };
                }
                args
            }
        };
        if background && let Some(known) = self.known_job(caller, extras, &name, &params).await {
            return known;
        }
        match target {
            None => Done::value(Err(introspect::unknown(&self.backend, &checked))),
            Some(target) => {
                let mut told = None;
                if let Some(query) = query {
                    let facts = self.facts(entry, &query.facts()).await;
                    if !query.holds(&facts) {
                        return Done::value(Ok(facts::wrap(false, facts, None)));
                    }
                    told = Some(facts);
                }
                let done = if background {
                    self.submit(entry, name, target, params).await
                } else {
                    self.call(entry, target, params, mode).await
                };
                match told {
                    Some(facts) => {
                        Done { answer: done.answer.map(|result| facts::wrap(true, facts, Some(result))), ..done }
                    }
                    None => done,
                }
            }
        }
    }

    /// What this machine is, as its modules tell it. They take a place like any call.
    async fn facts(&self, entry: &Entry<'_>, want: &[&str]) -> Facts {
        let time = entry.extras.timeout.map_or(self.call_time, |asked| asked.min(self.call_time)).min(facts::LONGEST);
        let Ok(Ok(_place)) = tokio::time::timeout(time, self.places.acquire()).await else { return Facts::new() };
        self.backend.facts(want, &entry.caller.peer.name, time).await
    }

    /// The overlord that this minion is.
    fn overlord(&self) -> Result<&Arc<SubOverlord>, RemoteError> {
        let why = "this minion passes no calls on; `[overlord]` in its minion.toml would make it do so";
        self.overlord.as_ref().ok_or_else(|| RemoteError::new("NotCallable", why))
    }

    /// `overlord.delegate`
    async fn pass_on(&self, entry: &Entry<'_>, builtin: &Builtin, params: Vec<Value>) -> Done {
        let passed = match self.overlord() {
            Ok(overlord) => {
                overlord.pass_on(builtin, &entry.caller.peer.name, entry.extras, self.call_time, params).await
            }
            Err(error) => Err(error),
        };
        match passed {
            Ok((outcome, budget)) => {
                let about = About { job: entry.extras.job_id.clone(), budget, ..About::default() };
                Done { answer: Ok(relayed(outcome)), about }
            }
            Err(error) => Done::value(Err(error)),
        }
    }

    /// `overlord.map`
    fn map(&self, builtin: &Builtin, params: Vec<Value>) -> Result<Value, RemoteError> {
        let [] = builtin.args(params)?;
        self.overlord()?.map()
    }

    /// The answer to a call whose job id is taken: by this very call, or by another. The module may have gone
    /// or changed since: the job is the same all the same. (One with a secret is known again as long as its method
    /// is there, because nothing else tells what of its arguments is secret.)
    async fn known_job(&self, caller: &Caller, extras: &Extras, method: &MethodName, args: &[Value]) -> Option<Done> {
        let id = extras.job_id.as_ref()?;
        match self.backend.knows(id, &caller.peer.name, method, args).await {
            Ok(false) => None,
            Ok(true) => {
                let about = About { job: Some(id.clone()), ..About::default() };
                Some(Done { answer: Ok(id.as_str().into()), about })
            }
            Err(refusal) => Some(Done { answer: Err(refusal), about: About::default() }),
        }
    }

    /// Calls a method and waits, both within the deadline.
    async fn call(&self, entry: &Entry<'_>, target: B::Target, args: Vec<Value>, mode: Mode) -> Done {
        let mut about = About { stamp: self.backend.stamp(&target), ..About::default() };
        let time = entry.extras.timeout.map_or(self.call_time, |asked| asked.min(self.call_time));
        let ends = Instant::now() + time;
        let busy = |why: String| Answered::from(Err(RemoteError::new("Busy", why)));
        let Answered { answer, budget } = match tokio::time::timeout(time, self.places.acquire()).await {
            Err(_) => busy(format!("no call ended within {time:?} to make room for this one")),
            Ok(Err(_)) => busy("the minion is stopping".to_owned()),
            Ok(Ok(_place)) => {
                let id = self.begin(entry, &mut about).await;
                let deadline = ends.saturating_duration_since(Instant::now());
                let order = CallOrder { id, caller: entry.caller.peer.name.clone(), deadline, mode };
                let ended = tokio::time::timeout(deadline + GRACE, self.backend.call(target, args, order)).await;
                ended.unwrap_or_else(|_| {
                    Err(RemoteError::timed_out(format!("the call took longer than {time:?}"), time)).into()
                })
            }
        };
        about.budget = budget;
        Done { answer: answer.map_err(Refusal::Error), about }
    }

    /// Makes a job of a call.
    async fn submit(&self, entry: &Entry<'_>, method: MethodName, target: B::Target, args: Vec<Value>) -> Done {
        let Entry { caller, extras, .. } = *entry;
        let mut about = About { stamp: self.backend.stamp(&target), ..About::default() };
        if let Err(error) = self.backend.check(&target, &args) {
            return Done { answer: Err(Refusal::Error(error)), about };
        }
        self.begin(entry, &mut about).await;
        let order = JobOrder {
            id: extras.job_id.clone(),
            owner: caller.peer.name.clone(),
            overlord_job: extras.overlord_job.clone(),
            method,
            deadline: extras.timeout.map_or(self.job_time, |asked| asked.min(self.job_time)),
        };
        let answer = self.backend.submit(target, args, order).await.map(|id| {
            about.job = Some(id.clone());
            id.as_str().into()
        });
        Done { answer, about }
    }

    /// Writes down that a module is about to be called. Whatever it does, that much is known afterwards.
    async fn begin(&self, entry: &Entry<'_>, about: &mut About) -> MinionJobId {
        let id = MinionJobId::fresh();
        about.call = Some(id.clone());
        let job = entry.extras.job_id.clone();
        self.record(entry, AuditOutcome::Begun, None, &About { job, ..about.clone() }).done().await;
        id
    }
}
