//! The types of a method, asked of the fleet: the modules themselves are the documentation.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::arguments::{self, Parameter};
use crate::fleet::{Outcome, Selection};
use crate::ids::MethodName;
use crate::overlord::{CallOptions, Overlord};
use crate::wire::Value;

/// So many hosts are asked at most.
const ASKED: usize = 3;

/// A host that has not answered for so long gets company.
const PATIENCE: Duration = Duration::from_secs(1);

/// The parameters of `method`, from the first of a few chosen hosts that knows it. `None` when none of
/// them does: the call itself will say why.
pub(super) async fn of(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Option<Vec<Parameter>> {
    let question: MethodName = format!("{}.get_method_args", method.module()).parse().ok()?;
    let mut hosts = selection.hosts.iter().take(ASKED);
    let mut asked = FuturesUnordered::new();
    loop {
        let next = hosts.next();
        if let Some(host) = next {
            let one = Selection { hosts: vec![host.clone()], ..Selection::default() };
            let answers = overlord.call(one, &question, Vec::new(), options).ok()?;
            asked.push(async move { pin!(answers).next().await });
        }
        // One host after the other: a whole fleet is not asked what any of them can tell.
        let patience = if next.is_some() { PATIENCE } else { Duration::MAX };
        let Ok(answer) = tokio::time::timeout(patience, asked.next()).await else { continue };
        if let (_, Outcome::Ok(answer)) = answer??
            && let Some(described) = arguments::described(&answer).remove(method.method())
        {
            return Some(described.parameters);
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
