//! The types of a method, asked of the fleet: the modules themselves are the documentation.

use std::pin::pin;

use futures_util::StreamExt as _;

use super::arguments::{self, Parameter};
use crate::fleet::{Outcome, Selection};
use crate::ids::MethodName;
use crate::overlord::{CallOptions, Overlord};
use crate::wire::Value;

/// How many hosts are asked; the first answer counts.
const ASKED: usize = 3;

/// The parameters of `method`, from the first of a few chosen hosts that knows it. `None` when none of
/// them does: the call itself will say why.
pub(super) async fn of(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Option<Vec<Parameter>> {
    let mut few = selection.clone();
    few.hosts.truncate(ASKED);
    few.skipped.clear();
    let question: MethodName = format!("{}.get_method_args", method.module()).parse().ok()?;
    let mut answers = pin!(overlord.call(few, &question, Vec::new(), options).ok()?);
    while let Some((_, outcome)) = answers.next().await {
        if let Outcome::Ok(answer) = outcome
            && let Some(described) = arguments::described(&answer).remove(method.method())
        {
            return Some(described.parameters);
        }
    }
    None
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
