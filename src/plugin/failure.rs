//! What a failed method or a trap says to the caller.

use wasmtime::{Trap, WasmBacktrace, component::ResourceTableError};
use wasmtime_wasi::I32Exit;

use super::{
    call_error::CallError,
    state::{MAX_RESOURCES, State},
};
use crate::wire::Value;

/// A method that answered with an error.
///
/// `minion:host/types.error` gives its kind and message; a variant gives the name of its case, text
/// gives itself, and anything else is shown as JSON.
pub(super) fn of(error: &Value) -> CallError {
    let json = || error.to_json().to_string();
    let (kind, message, detail) = match error {
        Value::String(text) => ("Error".to_owned(), text.clone(), String::new()),
        Value::Nil => ("Error".to_owned(), "the method failed and did not say why".to_owned(), String::new()),
        Value::Struct(members) => match members.get("message").and_then(Value::as_str) {
            Some(message) => {
                let kind = members.get("kind").and_then(Value::as_str).unwrap_or("Error");
                let message = match members.get("hint").and_then(Value::as_str) {
                    // Several lines are there to be copied.
                    Some(hint) if hint.contains('\n') => format!("{message}\nhint: {hint}"),
                    Some(hint) => format!("{message} (hint: {hint})"),
                    None => message.to_owned(),
                };
                let known = members.keys().all(|key| ["kind", "message", "hint"].contains(&key.as_str()));
                (kind.to_owned(), message, if known { String::new() } else { json() })
            }
            None => match members.iter().next() {
                Some((case, payload)) if members.len() == 1 => {
                    let about = payload.as_str().map_or_else(|| payload.to_json().to_string(), str::to_owned);
                    (case.clone(), about, json())
                }
                _ => ("Error".to_owned(), json(), json()),
            },
        },
        _ => ("Error".to_owned(), json(), json()),
    };
    CallError::Failed { kind, message, detail }
}

/// A call that broke off.
///
/// The best message is the author's own. A runtime that speaks on standard error says it there; the SDK's
/// panic hook logs the panic at error level just before the trap. Otherwise it is the trap's.
pub(super) fn of_trap(
    error: &wasmtime::Error,
    trap: Option<Trap>,
    backtrace: Option<&WasmBacktrace>,
    state: &State,
) -> CallError {
    let unreachable = trap == Some(Trap::UnreachableCodeReached);
    let printed = if unreachable { state.last_words.error() } else { None };
    let logged = printed.as_ref().or_else(|| state.last_error.as_ref().filter(|_| unreachable));
    // A module that survived a refusal may panic later for a reason of its own, and says so.
    let silent = unreachable && logged.is_none_or(|logged| tells_of_memory(&logged.message));
    if state.usage.refused() && (silent || trap.is_none() || trap == Some(Trap::AllocationTooLarge)) {
        return CallError::OutOfMemory { limit: state.context.limits.memory_bytes };
    }
    let fuel_spent = format!("{error:#}").contains(FUEL_SPENT);
    let in_host_call = backtrace.is_some_and(|backtrace| !backtrace.frames().is_empty());
    if fuel_spent && !in_host_call {
        return CallError::TooLarge { limit: state.context.limits.output_bytes };
    }
    let message = match (logged, error.downcast_ref::<I32Exit>()) {
        (Some(logged), _) => logged.message.clone(),
        (None, Some(exit)) => format!("the module ended itself with exit code {}", exit.0),
        (None, None) if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) => {
            format!("the module held more than {MAX_RESOURCES} streams and pollables at once")
        }
        (None, None) if fuel_spent => "the module passed more data to the host at once than it may".to_owned(),
        (None, None) => trap.map_or_else(|| error.root_cause().to_string(), |trap| trap.to_string()),
    };
    let frame = logged.and_then(|logged| logged.place.clone()).or_else(|| author_frame(backtrace?));
    CallError::Trapped { message, frame, trace: format!("{error:?}") }
}

/// Whether an exception is that of Python or of JavaScript for memory that was refused.
fn tells_of_memory(message: &str) -> bool {
    message.contains("MemoryError") || message == "out of memory"
}

/// The words of wasmtime's error when a module passes more to the host than the host has room for.
const FUEL_SPENT: &str = "fuel allocated for hostcalls has been exhausted";

/// The innermost frame that is the author's and not of the machinery of panics.
fn author_frame(backtrace: &WasmBacktrace) -> Option<String> {
    const MACHINERY: [&str; 10] = [
        "core::",
        "std::",
        "alloc::",
        "rust_",
        "__rust",
        "__rustc",
        "wit_bindgen",
        "abort",
        "dlmalloc",
        "rustc_demangle",
    ];
    let name = |frame: &wasmtime::FrameInfo| Some(format!("{:#}", rustc_demangle::demangle(frame.func_name()?)));
    let names: Vec<String> = backtrace.frames().iter().filter_map(name).collect();
    let plain = |name: &&String| {
        let name = name.trim_start_matches(['<', '&']);
        !MACHINERY.iter().any(|prefix| name.starts_with(prefix))
    };
    names.iter().find(plain).or(names.first()).cloned()
}
