//! The types of a method, asked of the fleet: the modules themselves are the documentation.
//!
//! A call that cannot succeed anywhere is not sent: when the words do not fit the method, and when none of the chosen hosts
//! has it. One host that has it is enough, for a fleet need not be alike; the others say so themselves.

use super::arguments;
use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::render;
use super::secrets::Given;
use crate::fleet::Selection;
use crate::ids::MethodName;
use crate::minion::RESERVED_MODULES;
use crate::overlord::{CallOptions, Described, Description, Overlord, described, first_answer};
use crate::plugin::RESERVED;
use crate::wire::Value;

/// The words of a call as values of the method's types. At least a quarter of the time is left for the call.
pub(super) async fn arguments(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    words: &[String],
    given: &Given,
    options: CallOptions,
) -> Result<Vec<Value>, Failure> {
    if is_built_in(method) {
        return Ok(untyped(words, given));
    }
    match of(overlord, selection, method, options).await? {
        Some(described) => arguments::convert(method, words, &described.parameters, given).map_err(|error| {
            let signature = render::clip(&render::visible(&described.signature(method)));
            Failure::new(Exit::Usage, error).hint(format!("it is `{signature}`; see `func doc {method}`"))
        }),
        None => Ok(untyped(words, given)),
    }
}

/// Each word is JSON if it reads as JSON.
fn untyped(words: &[String], given: &Given) -> Vec<Value> {
    words.iter().map(|word| arguments::untyped(word, given)).collect()
}

/// What the minion has itself is not described like modules.
fn is_built_in(method: &MethodName) -> bool {
    RESERVED_MODULES.contains(&method.module().as_str()) || RESERVED.contains(&method.method())
}

/// The method as the first chosen host that has it describes it. `None` when it is not known whether any has: then the
/// call itself will say.
async fn of(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Result<Option<Described>, Failure> {
    match overlord.describe(selection, method, options).await? {
        Description::Known(described) => Ok(Some(described)),
        Description::Unreached => {
            Context::warn(format!("no host told the types of `{method}`; words that are JSON are sent as such"));
            Ok(None)
        }
        Description::Undescribed => Ok(None),
        Description::Missing { without, unasked, why } => {
            let others = match &unasked[..] {
                [] => String::new(),
                some => format!("; {} cannot be reached", render::compress(some)),
            };
            let why = format!("nothing was sent: on {}, {why}{others}", render::compress(&without));
            Err(Failure::new(Exit::Configuration, why)
                .hint("list what there is with `func doc`, or on one host with `func doc --on HOST`"))
        }
    }
}

/// Whether `method` says of itself that it changes nothing, on the first chosen host that knows it. The methods of `system`
/// only tell what there is, those of `getfile` only read files.
pub(super) async fn reads_only(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> bool {
    let Ok(question) = format!("{}.get_method_args", method.module()).parse() else { return false };
    let known = |answer: Value| described(&answer).remove(method.method());
    let options = CallOptions { timeout: options.timeout.map(|time| time / 4), ..options };
    matches!(method.module().as_str(), "system" | "getfile")
        || first_answer(overlord, selection, &question, &[], options, known).await.is_ok_and(|(_, it)| it.read_only)
}
