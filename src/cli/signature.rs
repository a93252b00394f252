//! The types of a method, asked of the fleet: the modules themselves are the documentation.
//!
//! A call that cannot succeed anywhere is not sent: when the words do not fit the method, and when none of the chosen hosts
//! has it. One host that has it is enough, for a fleet need not be alike; the others say so themselves.

use std::pin::pin;

use futures_util::StreamExt as _;

use super::arguments::{self, Described};
use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::render;
use super::secrets::Given;
use crate::fleet::{Outcome, Selection};
use crate::ids::{HostName, MethodName};
use crate::minion::RESERVED_MODULES;
use crate::overlord::{CallOptions, Overlord, first_answer};
use crate::plugin::RESERVED;
use crate::wire::{RemoteError, Value};

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
        Some(described) => {
            arguments::convert(&method.to_string(), words, &described.parameters, given).map_err(|error| {
                let signature = render::clip(&render::visible(&described.signature(method)));
                Failure::new(Exit::Usage, error).hint(format!("it is `{signature}`; see `func doc {method}`"))
            })
        }
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
    let Ok(question) = format!("{}.get_method_args", method.module()).parse() else { return Ok(None) };
    let question: MethodName = question;
    let known = |answer: Value| arguments::described(&answer).remove(method.method());
    let half = CallOptions { timeout: options.timeout.map(|time| time / 2), ..options };
    let quarter = CallOptions { timeout: options.timeout.map(|time| time / 4), ..options };
    match first_answer(overlord, selection, &question, &[], half, known).await {
        Ok((_, described)) => return Ok(Some(described)),
        Err(Some((_, Outcome::Unreachable { .. } | Outcome::TimedOut { .. } | Outcome::Lost { .. }))) => {
            Context::warn(format!("no host told the types of `{method}`; words that are JSON are sent as such"));
            return Ok(None);
        }
        Err(_) => {}
    }
    let Some(host) = somebody_who_has(overlord, selection, method, quarter).await? else { return Ok(None) };
    let one = selection.hosts.iter().filter(|chosen| chosen.name == host).cloned().collect();
    let one = Selection { hosts: one, ..Selection::default() };
    Ok(first_answer(overlord, &one, &question, &[], quarter, known).await.ok().map(|(_, described)| described))
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
    let known = |answer: Value| arguments::described(&answer).remove(method.method());
    let options = CallOptions { timeout: options.timeout.map(|time| time / 4), ..options };
    matches!(method.module().as_str(), "system" | "getfile")
        || first_answer(overlord, selection, &question, &[], options, known).await.is_ok_and(|(_, it)| it.read_only)
}

/// Asks all chosen hosts, until one has the method. If those who can be reached do not have it, nothing is sent.
async fn somebody_who_has(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Result<Option<HostName>, Failure> {
    let Ok(question) = "system.methodHelp".parse() else { return Ok(None) };
    let question: MethodName = question;
    let asked = Selection { hosts: selection.hosts.clone(), ..Selection::default() };
    let mut answers = pin!(overlord.call(asked, &question, vec![method.to_string().into()], options)?);
    let (mut without, mut unasked, mut why) = (Vec::new(), Vec::new(), None);
    while let Some((host, outcome)) = answers.next().await {
        match outcome {
            Outcome::Ok(_) => return Ok(Some(host)),
            Outcome::Failed(error) if is_missing(&error) => {
                without.push(host);
                why.get_or_insert(error.message);
            }
            Outcome::Unreachable { .. } => unasked.push(host),
            // It may have it.
            _ => return Ok(None),
        }
    }
    let Some(why) = why else { return Ok(None) };
    let others = match &unasked[..] {
        [] => String::new(),
        some => format!("; {} cannot be reached", render::compress(some)),
    };
    let why = format!("nothing was sent: on {}, {why}{others}", render::compress(&without));
    Err(Failure::new(Exit::Configuration, why)
        .hint("list what there is with `func doc`, or on one host with `func doc --on HOST`"))
}

fn is_missing(error: &RemoteError) -> bool {
    ["NoSuchMethod", "NoSuchModule", "NotCallable"].contains(&error.kind.as_str())
}
