//! One call: a fresh store, the arguments in, the function, the result out.
//!
//! A call is bounded in every direction. Guest code gives way at each tick of the epoch and ends when
//! its time is over; a wait inside a host function ends by the timer around the whole call. The store
//! is made for the call and ends with it, so nothing that a trap left behind is ever seen again.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use wasmtime::{
    Store, Trap, UpdateDeadline, WasmBacktrace,
    component::{Val, types::Type},
};

use super::{
    budget::{Budget as Used, StopWatch},
    bytes_path::BytesPath,
    call_error::CallError,
    context::{CallContext, Clock, Level},
    failure, host,
    load::Plugin,
    mask::{Mask, Masked},
    mediator::Trail,
    module::{Method, Module},
    state::State,
    values::{self, Budget, Mismatch},
};
use crate::{
    ids::MethodName,
    wire::{RemoteError, Value},
};

/// What the host may allocate for each byte that a result may have. A number takes 32 bytes on its way
/// and counts as 8, so this is twice what it needs; only bytes inside of other values, which are
/// numbers, too, reach this bound (at a quarter of the limit) before their own.
const FUEL_PER_BYTE: usize = 8;
/// No call is given more time than this.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// What a call that is cancelled has to end by itself: `job.cancelled` says so to whoever asks, and
/// waits in the host end at once.
const CANCEL_GRACE: Duration = Duration::from_millis(300);
/// Host memory for what a module passes to host functions, whatever the limit of its result.
const LEAST_FUEL: usize = 64 << 20;

impl Plugin {
    /// Calls a method.
    ///
    /// Arguments at the end that are optional may be left out. The returned future may be dropped at
    /// any time, which ends the call.
    pub async fn call(&self, method: &MethodName, args: &[Value], context: CallContext) -> Result<Value, CallError> {
        self.call_measured(method, args, context).await.answer
    }

    /// The same, with what the call has used.
    pub async fn call_measured(&self, method: &MethodName, args: &[Value], context: CallContext) -> Called {
        let found = self.find(method).and_then(|(module, found)| {
            let fitting = Arguments::of(found, args)?;
            // Whoever calls without having sealed the secrets is served the same.
            let mask = if found.takes_secrets() { Mask::of(&found.seal(args.to_vec())) } else { Mask::default() };
            Ok((module, found, fitting, mask))
        });
        match found {
            Ok((module, found, args, mask)) => self.run(found, args, module, context, mask).await,
            Err(error) => Called { answer: Err(error), budget: Used::default(), trail: Trail::None },
        }
    }

    fn find(&self, method: &MethodName) -> Result<(&Module, &Method), CallError> {
        let module = self.module(method).ok_or_else(|| CallError::NoMethod { method: method.to_string() })?;
        let Some(found) = module.methods.get(method.method()) else {
            return Err(match module.uncallable.get(method.method()) {
                Some(why) => CallError::Uncallable { method: method.to_string(), why: why.clone() },
                None => CallError::NoMethod { method: method.to_string() },
            });
        };
        Ok((module, found))
    }

    async fn run(
        &self,
        method: &Method,
        args: Arguments<'_>,
        module: &Module,
        mut context: CallContext,
        mask: Mask,
    ) -> Called {
        if !mask.is_empty() {
            context.events = Arc::new(Masked { events: context.events, mask: mask.clone() });
        }
        context.deadline = context.deadline.min(LONGEST);
        let (deadline, clock, limits) = (context.deadline, context.clock, context.limits.clone());
        let started = tokio::time::Instant::now();
        let Ok(_entered) = tokio::time::timeout(deadline, self.engine().enter()).await else {
            let why = "other calls took all the time there was".into();
            return Called { answer: Err(CallError::Busy { why }), budget: Used::default(), trail: Trail::None };
        };
        context.deadline = deadline.saturating_sub(started.elapsed());

        let mut state = State::new(context, module.name.clone(), module.full_name.clone());
        state.mask = mask.clone();
        let mut store = Store::new(self.engine().wasmtime(), state);
        store.limiter(|state| &mut state.usage);
        store.set_hostcall_fuel(limits.output_bytes.saturating_mul(FUEL_PER_BYTE).max(LEAST_FUEL));
        watch_the_time(&mut store, clock);

        let cancelled = store.data().cancellation();
        let mut watch = StopWatch::start();
        let running = async {
            let instance = self.instance().instantiate_async(&mut store).await.map_err(Broken::Start)?;
            let function = instance.get_func(&mut store, method.entry.function).ok_or(Broken::Gone)?;
            match args {
                Arguments::Bytes(path, args) => path.call(function, &mut store, args).await.map_err(Broken::Call),
                Arguments::Vals(args) => {
                    let mut results = vec![Val::Bool(false); method.entry.ty.results().len()];
                    function.call_async(&mut store, &args, &mut results).await.map_err(Broken::Call)?;
                    Ok(result(&results, method, limits.output_bytes))
                }
            }
        };
        let outcome = tokio::select! {
            outcome = watch.take(running) => Some(outcome),
            () = tokio::time::sleep_until(started + deadline) => None,
            () = given_up(&cancelled) => None,
        };
        let trail = store.data_mut().mediation.end();
        let state = store.data();
        let dropped = state.logs.dropped();
        if dropped > 0 {
            state.context.events.log(Level::Warn, &format!("{dropped} bytes of log were dropped"), &[]);
        }
        let answer = match outcome {
            Some(Ok(answer)) => answer,
            Some(Err(broken)) => Err(broken.explain(state, deadline)),
            None => Err(interrupted(state, deadline)),
        };
        let answer = answer.map_err(|error| error.masked(&mask));
        let called = Called { answer, budget: state.counter.budget(&watch, state.usage.memory()), trail };
        if clock == Clock::OneShot {
            // The process is there for this call and ends after it, so nobody needs its memory back.
            store.data_mut().end_printing();
            std::mem::forget(store);
        }
        called
    }
}

impl Called {
    /// The answer for the caller. Of a check it is a struct: the `plan`, beside the method's own `result` or
    /// `error`.
    pub fn into_answer(self) -> Result<Value, CallError> {
        let Trail::Plan(plan) = self.trail else { return self.answer };
        let own = match self.answer {
            Ok(value) => ("result", value),
            // The call was ended from outside, so the plan is a part of what would have been done.
            Err(error @ (CallError::TimedOut { .. } | CallError::Cancelled)) => return Err(error),
            Err(error) => {
                let RemoteError { kind, message, trace } = error.to_remote_error();
                let members = [("type", kind), ("message", message), ("trace", trace)];
                ("error", Value::structure(members.map(|(name, text)| (name, Value::from(text)))))
            }
        };
        let more = (plan.more > 0).then(|| ("more", Value::Int(i64::try_from(plan.more).unwrap_or(i64::MAX))));
        Ok(Value::structure([("plan", plan.to_value()), own].into_iter().chain(more)))
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// The method's result, or why there is none.
    pub answer: Result<Value, CallError>,
    /// What the call has used; nothing if it did not begin.
    pub budget: Used,
    /// What it leaves behind as its mode would have it.
    pub trail: Trail,
}

/// Returns when the call has been cancelled and has had its time to end by itself.
async fn given_up(cancelled: &AtomicBool) {
    host::until_set(cancelled).await;
    tokio::time::sleep(CANCEL_GRACE).await;
}

/// Why a call was ended from outside.
fn interrupted(state: &State, deadline: Duration) -> CallError {
    if state.is_cancelled() { CallError::Cancelled } else { CallError::TimedOut { after: deadline } }
}

/// Arguments that fit their method.
enum Arguments<'a> {
    Vals(Vec<Val>),
    Bytes(BytesPath, &'a [Value]),
}

impl<'a> Arguments<'a> {
    fn of(method: &Method, args: &'a [Value]) -> Result<Self, CallError> {
        match method.entry.bytes.filter(|path| path.fits(args)) {
            Some(path) => Ok(Self::Bytes(path, args)),
            None => vals(method, args).map(Self::Vals),
        }
    }
}

/// Checks the arguments of a call against the method's types, without running anything.
pub fn check_arguments(method: &Method, args: &[Value]) -> Result<(), CallError> {
    Arguments::of(method, args).map(drop)
}

fn vals(method: &Method, args: &[Value]) -> Result<Vec<Val>, CallError> {
    let (least, most) = (method.required(), method.params.len());
    if args.len() < least || args.len() > most {
        let noun = if most == 1 { "argument" } else { "arguments" };
        let wanted = if least == most { format!("{most} {noun}") } else { format!("{least} to {most} {noun}") };
        let name = method.entry.shown.clone();
        let signature = method.signature(name.rsplit('.').next().unwrap_or_default());
        return Err(CallError::ArgumentCount { method: name, wanted, given: args.len(), signature });
    }
    let mut vals = Vec::with_capacity(most);
    for (i, (name, ty)) in method.entry.ty.params().enumerate() {
        vals.push(match args.get(i) {
            Some(value) => values::lower(value, &ty).map_err(|mismatch| match method.params.get(i) {
                // Who confuses two arguments has put the secret where it would be repeated.
                Some(param) if method.takes_secrets() => CallError::Argument {
                    place: param.name.clone(),
                    why: format!(
                        "wanted {}; nothing is told of what was given, because the method takes a secret",
                        param.type_name
                    ),
                },
                _ => CallError::argument(&values::wire_name(name), &mismatch),
            })?,
            None => Val::Option(None),
        });
    }
    Ok(vals)
}

fn watch_the_time(store: &mut Store<State>, clock: Clock) {
    store.set_epoch_deadline(1);
    match clock {
        Clock::OneShot => store.epoch_deadline_trap(),
        Clock::Ticks => store.epoch_deadline_callback(|cx| {
            let over = cx.data().remaining().is_zero();
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        }),
    }
}

/// The method's result on the wire: of an outer `result`, the value or the error.
fn result(results: &[Val], method: &Method, limit: usize) -> Result<Value, CallError> {
    let (Some(val), Some(ty)) = (results.first(), method.entry.ty.results().next()) else { return Ok(Value::Nil) };
    let mut budget = Budget::new(limit);
    let mut lift =
        |val: &Val, ty: &Type| values::lift(val, ty, &mut budget).map_err(|mismatch| unsendable(&mismatch, limit));
    match (val, &ty) {
        (Val::Result(Ok(val)), Type::Result(result)) => match (val, result.ok()) {
            (Some(val), Some(ty)) => lift(val, &ty),
            _ => Ok(Value::Nil),
        },
        (Val::Result(Err(val)), Type::Result(result)) => match (val, result.err()) {
            (Some(val), Some(ty)) => Err(failure::of(&lift(val, &ty)?)),
            _ => Err(failure::of(&Value::Nil)),
        },
        _ => lift(val, &ty),
    }
}

/// Why a result cannot be sent.
pub(super) fn unsendable(mismatch: &Mismatch, limit: usize) -> CallError {
    if Budget::spent(mismatch) {
        CallError::TooLarge { limit }
    } else {
        let (place, why) = (mismatch.place("result"), mismatch.what().to_owned());
        if mismatch.is_over_limit() {
            CallError::TooLargeToSend { place, why }
        } else {
            CallError::Unsendable { place, why }
        }
    }
}

/// Where a call broke off.
enum Broken {
    Start(wasmtime::Error),
    Gone,
    Call(wasmtime::Error),
}

impl Broken {
    fn explain(self, state: &State, deadline: Duration) -> CallError {
        let error = match self {
            Self::Gone => return CallError::Start { why: "the function is gone from the component".to_owned() },
            Self::Start(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => {
                return CallError::Busy { why: error.to_string() };
            }
            Self::Start(error) if error.downcast_ref::<Trap>().is_none() && !state.usage.refused() => {
                return CallError::Start { why: format!("{error:#}") };
            }
            Self::Start(error) | Self::Call(error) => error,
        };
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::Interrupt) {
            return interrupted(state, deadline);
        }
        failure::of_trap(&error, trap.copied(), error.downcast_ref::<WasmBacktrace>(), state)
    }
}
