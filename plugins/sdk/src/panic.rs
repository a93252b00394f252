//! Panics that can be seen.
//!
//! On this target the standard library has no standard error, so a panic says nothing and the caller sees a bare
//! `unreachable`. The hook hands message and place to the host, which takes the last line logged at error level as the
//! message of the trap that follows.

use std::{panic::PanicHookInfo, sync::Once};

use crate::job::{self, Level};

/// The field of the log line that says where the panic was.
const PLACE: &str = "panicked-at";

/// Installs the hook.
pub(crate) fn report_to_host() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| std::panic::set_hook(Box::new(report)));
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    job::log(Level::Error, message(info), &[(PLACE.to_owned(), place)]);
}

fn message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panicked with a value that is no text")
}
