//! A method's types, asked of the hosts of a call: the modules themselves are the documentation.

use std::pin::pin;

use futures_util::StreamExt as _;

use super::{
    CallOptions, Error, Overlord, first_answer,
    signature::{Described, described},
};
use crate::{
    fleet::{Outcome, Selection},
    ids::{HostName, MethodName},
    wire::{RemoteError, Value},
};

/// What the hosts of a call say of its method.
#[derive(Debug, Clone)]
pub enum Description {
    /// As the first one that has it describes it. One is enough: a fleet need not be alike, and the others say so themselves.
    Known(Described),
    /// Nobody could be reached who would know.
    Unreached,
    /// Somebody may have it, and does not describe it.
    Undescribed,
    /// Those who can be reached do not have it.
    Missing {
        /// They said so.
        without: Vec<HostName>,
        /// They could not be asked.
        unasked: Vec<HostName>,
        /// What the first one said.
        why: String,
    },
}

impl Overlord {
    /// Asks as few of the hosts as it takes. At least a quarter of the time is left for the call.
    pub async fn describe(
        &self,
        selection: &Selection,
        method: &MethodName,
        options: CallOptions,
    ) -> Result<Description, Error> {
        let Ok(question) = format!("{}.get_method_args", method.module()).parse() else {
            return Ok(Description::Undescribed);
        };
        let question: MethodName = question;
        let known = |answer: Value| described(&answer).remove(method.method());
        let half = CallOptions { timeout: options.timeout.map(|time| time / 2), ..options };
        let quarter = CallOptions { timeout: options.timeout.map(|time| time / 4), ..options };
        match first_answer(self, selection, &question, &[], half, known).await {
            Ok((_, described)) => return Ok(Description::Known(described)),
            Err(Some((_, Outcome::Unreachable { .. } | Outcome::TimedOut { .. } | Outcome::Lost { .. }))) => {
                return Ok(Description::Unreached);
            }
            Err(_) => {}
        }
        let host = match self.somebody_who_has(selection, method, quarter).await? {
            Ok(host) => host,
            Err(description) => return Ok(description),
        };
        let one = selection.hosts.iter().filter(|chosen| chosen.name == host).cloned().collect();
        let one = Selection { hosts: one, ..Selection::default() };
        let told = first_answer(self, &one, &question, &[], quarter, known).await;
        Ok(told.map_or(Description::Undescribed, |(_, described)| Description::Known(described)))
    }

    /// Asks all chosen hosts, until one has the method.
    async fn somebody_who_has(
        &self,
        selection: &Selection,
        method: &MethodName,
        options: CallOptions,
    ) -> Result<Result<HostName, Description>, Error> {
        let Ok(question) = "system.methodHelp".parse() else { return Ok(Err(Description::Undescribed)) };
        let question: MethodName = question;
        let asked = Selection { hosts: selection.hosts.clone(), ..Selection::default() };
        let mut answers = pin!(self.call(asked, &question, vec![method.to_string().into()], options)?);
        let (mut without, mut unasked, mut first) = (Vec::new(), Vec::new(), None);
        while let Some((host, outcome)) = answers.next().await {
            match outcome {
                Outcome::Ok(_) => return Ok(Ok(host)),
                Outcome::Failed(error) if is_missing(&error) => {
                    without.push(host);
                    first.get_or_insert(error.message);
                }
                Outcome::Unreachable { .. } => unasked.push(host),
                // It may have it.
                _ => return Ok(Err(Description::Undescribed)),
            }
        }
        Ok(Err(match first {
            Some(why) => Description::Missing { without, unasked, why },
            None => Description::Undescribed,
        }))
    }
}

fn is_missing(error: &RemoteError) -> bool {
    ["NoSuchMethod", "NoSuchModule", "NotCallable"].contains(&error.kind.as_str())
}
