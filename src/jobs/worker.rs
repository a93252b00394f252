//! One job, in a process of its own.
//!
//! The process is the forked copy of the fork server, with the code already loaded. It records STARTED,
//! durably, before any guest code runs, so that whoever finds the journal later knows that the call may
//! have had effects and must not be made again. It records the result, durably, and ends. It prints
//! nothing and answers nobody.
//!
//! The deadline counts from acceptance. The guest is stopped by the epoch, which a timer's signal
//! advances, and waits in the host by tokio's clock; a process that reacts to neither for half a minute
//! is ended by the signal handler, and the job is found lost.
//!
//! What is secret of the call is not in the journal: it comes in memory, by a descriptor that is nobody else's, and
//! without it the call is not made.
//!
//! A signal cancels the call: its guest is told, then ended. A value that it answers all the same is its result; after an
//! error, or none, whatever it had started is ended, also what left its parents, and the job is cancelled.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};

use super::{
    error::JournalError,
    events::JournalEvents,
    fence::{Calling, Fences},
    journal::Journal,
    record::{Call, End, Record, Started},
    settle::SECRET_LOST,
    word::may_begin,
};
use crate::{
    plugin::{Budget, CallContext, CallError, Clock, Engine, Events, Level, Mode, Plugin},
    sys::{
        adopted,
        alarm::{self, Alarm},
        clock::BootId,
        family, memory, title,
    },
    wire::{RemoteError, Secrets, Value},
};

/// How long a call may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(2);
/// After the deadline the epoch advances so often, at most so many times.
const REMINDER: Duration = Duration::from_secs(1);
const REMINDERS: u32 = 30;
/// How long programs of a cancelled call may take to be gone.
const GONE: Duration = Duration::from_secs(1);

/// A job that is about to be begun.
pub(super) struct Task {
    journal: Journal,
    call: Box<Call>,
    /// The journal's length without this attempt.
    before: u64,
}

impl Task {
    /// Takes the journal that was handed over and counts the attempt. Nothing, when the call is not to be
    /// made: it is made once, so whoever handed it over was mistaken.
    pub(super) fn take(journal: OwnedFd, boot: BootId) -> Result<Option<Self>, JournalError> {
        let (mut journal, history) = Journal::adopt(journal).map_err(|source| JournalError::Write { source })?;
        let (Some(call), None, None) = (history.call, history.started, history.ended) else { return Ok(None) };
        let before = journal.length();
        // Not durable: at worst a power cut grants one more attempt.
        journal.append(&Record::HandOver(boot.now()))?;
        Ok(Some(Self { journal, call, before }))
    }

    /// Takes the journal of an attempt that was counted already.
    pub(super) fn take_over(journal: OwnedFd) -> Option<Self> {
        let (journal, history) = Journal::adopt(journal).ok()?;
        let before = journal.length();
        Some(Self { journal, call: history.call?, before })
    }

    /// The attempt did not come about.
    pub(super) fn take_back(&mut self) {
        // What stays counted is an attempt less.
        let _ = self.journal.cut(self.before);
    }
}

impl AsFd for Task {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.journal.as_fd()
    }
}

/// What is made once, by the fork server, for all workers.
pub(super) struct Tools {
    engine: Engine,
    fences: Fences,
    /// It has neither threads nor descriptors, so each forked copy has one of its own.
    plain: Runtime,
}

impl Tools {
    pub(super) fn make(calling: Calling) -> io::Result<Self> {
        let engine = Engine::forking().map_err(io::Error::other)?;
        Engine::prepare_thread();
        let plain = Builder::new_current_thread().enable_time().build()?;
        let mut fences = Fences::prepare();
        fences.raise_common(calling);
        Ok(Self { engine, fences, plain })
    }

    /// Code that was compiled earlier.
    pub(super) fn load(&self, path: &Path) -> Result<Plugin, String> {
        Plugin::load_compiled(&self.engine, path).map_err(|error| error.chain())
    }
}

/// Runs the job. When this returns, the process has nothing left to do.
pub(super) fn work(
    tools: &Tools,
    plugin: &Plugin,
    task: Task,
    completion: &OwnedFd,
    secrets: Option<&OwnedFd>,
    state: Option<&Path>,
    boot: BootId,
) -> Result<(), JournalError> {
    let Task { mut journal, mut call, .. } = task;
    let now = boot.now();
    if call.takes_secrets() && !take_secrets(&mut call, secrets) {
        return journal.finish(now, End::Lost { why: SECRET_LOST.to_owned() });
    }
    let left = call.deadline.saturating_sub(call.accepted.until(&now));
    if left.is_zero() {
        return journal.finish(now, End::TimedOut { after: call.deadline });
    }
    let _ = title::set(&format!("funcd: job {}", call.id));
    let module = plugin.module(call.method.checked().as_ref().unwrap_or(&call.method));
    let kept = state.zip(module).map(|(state, module)| state.join(module.full_name.as_str()));
    if let Err(error) = tools.fences.raise(&call.grant, kept.as_deref(), left) {
        return journal.finish(boot.now(), internal(&format!("its fences cannot be raised: {error}")));
    }
    // So far the job may not have been durable.
    if !may_begin(completion) {
        return Ok(());
    }
    let now = boot.now();
    let left = call.deadline.saturating_sub(call.accepted.until(&now));
    if left.is_zero() {
        return journal.finish(now, End::TimedOut { after: call.deadline });
    }
    let started = Started { at: now, pid: process::id() };
    journal.append_durably(&Record::Started(started))?;

    let events = Arc::new(JournalEvents::new(journal, &started, call.limits.log_bytes));
    let made = catch_unwind(AssertUnwindSafe(|| make(tools, plugin, &call, state, left, &events)));
    let (end, budget) = made.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        (End::Failed(RemoteError::new("HostPanic", format!("the host broke off: {message}"))), None)
    });
    events.finish(end, budget)
}

/// Puts what is secret of the call where the journal has a gap. `false`: it is not all there.
fn take_secrets(call: &mut Call, memory: Option<&OwnedFd>) -> bool {
    let bytes = memory.and_then(|memory| memory::read(memory).ok());
    let secrets = bytes.and_then(|bytes| Secrets::from_bytes(&bytes));
    secrets.is_some_and(|secrets| secrets.are_here() && secrets.fill(&mut call.args).is_ok())
}

/// Makes the call.
fn make(
    tools: &Tools,
    plugin: &Plugin,
    call: &Call,
    state: Option<&Path>,
    left: Duration,
    events: &Arc<JournalEvents>,
) -> (End, Option<Budget>) {
    let own = if super::fence::waits_for_others(&call.grant) {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => Some(runtime),
            Err(error) => return (internal(&format!("cannot start the runtime: {error}")), None),
        }
    } else {
        None
    };
    let runtime = own.as_ref().unwrap_or(&tools.plain);
    let alarm = Alarm { after: left, every: REMINDER, chances: REMINDERS };
    if let Err(error) = alarm::start(tools.engine.wasmtime(), alarm) {
        return (internal(&format!("cannot set the timer: {error}")), None);
    }
    let cancelled = Arc::new(AtomicBool::new(false));
    if let Err(error) = alarm::when_cancelled(&cancelled) {
        return (internal(&format!("cannot listen for its cancelling: {error}")), None);
    }
    let adopts = super::fence::may_run_programs(&call.grant);
    let checked = call.method.checked();
    let context = CallContext {
        mode: if checked.is_some() { Mode::Check } else { Mode::Perform },
        deadline: left,
        grant: Arc::new(call.grant.clone()),
        settings: Arc::new(call.settings.clone()),
        limits: call.limits.clone(),
        state: state.map(Arc::from),
        events: Arc::clone(events) as Arc<dyn Events>,
        cancelled: Arc::clone(&cancelled),
        clock: Clock::OneShot,
        ..CallContext::bare(call.id.as_str(), &*call.owner, left)
    };
    let answer = runtime.block_on(async {
        if adopts {
            tokio::spawn(adopted::reap_as_they_end());
        }
        tokio::time::timeout(
            left.saturating_add(GRACE),
            plugin.call_measured(checked.as_ref().unwrap_or(&call.method), &call.args, context),
        )
        .await
    });
    // Whatever still runs in the background ends with the process.
    if let Some(own) = own {
        own.shutdown_background();
    }
    let (end, budget) = match answer {
        Ok(called) => {
            let budget = called.budget.clone();
            (end(called.into_answer(), call, events), Some(budget))
        }
        Err(_) => (End::TimedOut { after: call.deadline }, None),
    };
    if cancelled.load(Ordering::Relaxed) { (after_cancelling(end, events), budget) } else { (end, budget) }
}

/// What becomes of a call that was cancelled. A result is one, whenever it came; anything else is the cancelling's work.
fn after_cancelling(end: End, events: &JournalEvents) -> End {
    match end {
        End::Finished(_) => return end,
        End::Failed(error) => events.log(Level::Warn, &format!("when it was cancelled: {error}"), &[]),
        End::TimedOut { .. } | End::Lost { .. } | End::Cancelled => {}
    }
    let own = process::id();
    let gone = family::started(own).and_then(|start| family::kill_descendants(own, start, GONE));
    if let Err(error) = gone {
        events.log(Level::Error, &error.to_string(), &[]);
    }
    End::Cancelled
}

fn end(answer: Result<Value, CallError>, call: &Call, events: &JournalEvents) -> End {
    match answer {
        Ok(value) => End::Finished(value),
        Err(CallError::TimedOut { .. }) => End::TimedOut { after: call.deadline },
        Err(CallError::Cancelled) => End::Cancelled,
        Err(error) => {
            if let Some(trace) = error.trace() {
                events.log(Level::Error, trace, &[]);
            }
            End::Failed(error.to_remote_error())
        }
    }
}

fn internal(why: &str) -> End {
    End::Failed(RemoteError::new("Internal", why))
}
