//! The types of a method, asked of the fleet: the modules themselves are the documentation.

use super::arguments::{self, Parameter};
use super::asking::first_answer;
use super::context::Context;
use crate::fleet::{Outcome, Selection};
use crate::ids::MethodName;
use crate::overlord::{CallOptions, Overlord};
use crate::wire::Value;

/// The parameters of `method`, from the first chosen host that knows it. `None` when none does: then the
/// call itself will say why, or nobody is there, which is said here. At least half of the time is left for the call.
pub(super) async fn of(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Option<Vec<Parameter>> {
    let question: MethodName = format!("{}.get_method_args", method.module()).parse().ok()?;
    let known = |answer: Value| arguments::described(&answer).remove(method.method());
    let options = CallOptions { timeout: options.timeout.map(|time| time / 2), ..options };
    match first_answer(overlord, selection, &question, &[], options, known).await {
        Ok((_, described)) => Some(described.parameters),
        Err(Some((_, Outcome::Failed(_) | Outcome::Refused { .. }))) => None,
        Err(_) => {
            Context::warn(format!("no host told the types of `{method}`; words that are JSON are sent as such"));
            None
        }
    }
}

/// Converts the words of a call; without a signature each is read as JSON if it is JSON.
pub(super) fn convert(
    method: &MethodName,
    words: &[String],
    parameters: Option<&[Parameter]>,
) -> Result<Vec<Value>, arguments::Error> {
    match parameters {
        Some(parameters) => arguments::convert(&method.to_string(), words, parameters),
        None => Ok(words.iter().map(|word| arguments::untyped(word)).collect()),
    }
}
