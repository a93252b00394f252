//! What a call would have done: the answer of a check.
//!
//! In a check every host function that looks does so, and every one that would change the machine is
//! planned instead: it checks the grant and its arguments as it always does, changes nothing, and answers
//! as if it had. So the module goes on as it would, whether or not it knows of checks.
//!
//! Simulated: later looks at files within the call see what was planned for them. Not simulated: a full
//! disk, file permissions, what a program that was not run would have changed or printed (it "exits" with
//! 0 and prints nothing), and anything behind a link that a planned change would have to make first.

use std::fmt::Write as _;

use toml::Value as Data;

use super::{
    data,
    host::{Error, ErrorKind, call::HostCall, files::Overlay, state::Planned},
};
use crate::{ids::Digest, wire::Value};

/// Steps that are kept; a module that goes on is only counted.
const STEPS: usize = 1_000;
/// Characters of a text among the arguments.
const TEXT: usize = 200;
/// Lines of a difference.
const LINES: usize = 40;

/// What a call would have done, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The first thousand steps.
    pub steps: Vec<Step>,
    /// Steps that were too many to keep.
    pub more: u64,
}

/// One call of a host function that would have changed the machine, or might have.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The host function.
    pub call: &'static str,
    /// Its arguments, long ones cut.
    pub arguments: Value,
    /// What it would have done.
    pub effect: Effect,
}

/// What a step would have done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// It would have run the program.
    Run,
    /// It did run the program, which the operator's grant says only reads.
    RanReadOnly,
    /// It would have made, changed or removed a file.
    File {
        /// Where the file really is.
        path: String,
        /// What is there, if something is.
        before: Option<Contents>,
        /// What would be there, if something would.
        after: Option<Contents>,
        /// The lines that would differ, where both are short texts and the module may read the file.
        diff: Option<String>,
    },
    /// It would have failed.
    Failed {
        /// The error that the module was given.
        error: String,
    },
    /// It would have changed something that is not a file.
    Other {
        /// What, in words.
        what: String,
    },
}

/// What a file holds, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// A folder.
    Folder,
    /// Something that is neither.
    Special,
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// The sha256 of its contents, if they were read.
        digest: Option<Digest>,
    },
}

impl Plan {
    /// The plan as it travels.
    pub fn to_value(&self) -> Value {
        Value::Array(self.steps.iter().map(Step::to_value).collect())
    }
}

impl Step {
    fn to_value(&self) -> Value {
        let mut members = vec![("call", Value::from(self.call)), ("arguments", self.arguments.clone())];
        match &self.effect {
            Effect::Run => members.push(("effect", "not run".into())),
            Effect::RanReadOnly => members.push(("effect", "run: granted as read-only".into())),
            Effect::Failed { error } => {
                members.extend([("effect", "fails".into()), ("error", error.as_str().into())]);
            }
            Effect::Other { what } => members.push(("effect", what.as_str().into())),
            Effect::File { path, before, after, diff } => {
                let effect = match (before, after) {
                    (None, Some(_)) => "made",
                    (Some(_), None) => "removed",
                    _ if before == after => "unchanged",
                    _ => "changed",
                };
                members.extend([("effect", effect.into()), ("path", path.as_str().into())]);
                members.extend(before.iter().map(|contents| ("before", contents.to_value())));
                members.extend(after.iter().map(|contents| ("after", contents.to_value())));
                members.extend(diff.iter().map(|diff| ("diff", diff.as_str().into())));
            }
        }
        Value::structure(members)
    }
}

impl Contents {
    fn to_value(&self) -> Value {
        match self {
            Self::Folder => "folder".into(),
            Self::Special => "special file".into(),
            Self::File { size, digest } => {
                let size = Value::Int(i64::try_from(*size).unwrap_or(i64::MAX));
                let digest = digest.as_ref().map(|digest| ("sha256", Value::from(digest.to_string().as_str())));
                Value::structure([("size", size)].into_iter().chain(digest))
            }
        }
    }
}

/// A check while it runs.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    plan: Plan,
    /// What files would be.
    pub(super) overlay: Overlay,
    /// What the module would keep for itself.
    pub(super) kept: Planned,
}

impl Rehearsal {
    pub(super) fn add(&mut self, call: &'static str, arguments: Value, effect: Effect) {
        if self.plan.steps.len() < STEPS {
            self.plan.steps.push(Step { call, arguments, effect });
        } else {
            self.plan.more += 1;
        }
    }

    /// The arguments of a call, as the plan shows them.
    pub(super) fn arguments<C: HostCall>(call: &C) -> Value {
        shortened(data::write(call).ok().flatten().as_ref())
    }

    /// Adds what was planned in place of a call, if it would do something. A denial is no step: it stands
    /// among the call's denials.
    pub(super) fn planned(
        &mut self,
        call: &'static str,
        arguments: Value,
        planned: Result<Option<Effect>, Error>,
    ) -> Result<(), Error> {
        match planned {
            Ok(Some(effect)) => self.add(call, arguments, effect),
            Ok(None) => {}
            Err(error) => {
                if error.kind != ErrorKind::Denied {
                    self.add(call, arguments, Effect::Failed { error: error.message.clone() });
                }
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn steps(&mut self) -> &mut [Step] {
        &mut self.plan.steps
    }

    pub(super) fn into_plan(self) -> Plan {
        self.plan
    }
}

/// Arguments for people: long texts and bytes cut.
pub(super) fn shortened(data: Option<&Data>) -> Value {
    match data {
        None => Value::Nil,
        Some(Data::String(text)) => {
            let cut: String = text.chars().take(TEXT).collect();
            if cut.len() == text.len() {
                cut.as_str().into()
            } else {
                format!("{cut}… ({} bytes)", text.len()).as_str().into()
            }
        }
        Some(Data::Integer(number)) => Value::Int(*number),
        Some(Data::Float(number)) => Value::Double(*number),
        Some(Data::Boolean(truth)) => Value::Bool(*truth),
        Some(Data::Datetime(time)) => time.to_string().as_str().into(),
        Some(Data::Array(items)) => {
            let mut short: Vec<Value> = items.iter().take(LINES).map(|item| shortened(Some(item))).collect();
            if items.len() > LINES {
                short.push(format!("… and {} more", items.len() - LINES).as_str().into());
            }
            Value::Array(short)
        }
        Some(Data::Table(table)) => {
            Value::structure(table.iter().map(|(key, value)| (key.as_str(), shortened(Some(value)))))
        }
    }
}

/// The lines between the first and the last that differ, for short texts.
pub(super) fn difference(before: &[u8], after: &[u8]) -> Option<String> {
    let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..old.len() - tail], &new[same..new.len() - tail]);
    if old.len() + new.len() > LINES || old.iter().chain(new).any(|line| line.len() > TEXT) {
        return None;
    }
    let mut out = format!("@@ line {} @@\n", same + 1);
    for (sign, lines) in [('-', old), ('+', new)] {
        for line in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{sign}{line}");
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_the_lines_that_differ() {
        let diff = difference(b"a\nb\nc\nd\n", b"a\nB\nc2\nd\n").unwrap();
        assert_eq!(diff, "@@ line 2 @@\n-b\n-c\n+B\n+c2\n");
        assert_eq!(difference(b"a\n", b"a\na\n").unwrap(), "@@ line 2 @@\n+a\n");
        assert_eq!(difference(b"", b"x").unwrap(), "@@ line 1 @@\n+x\n");
        assert_eq!(difference(&[0xff], b"x"), None);
        assert_eq!(difference(b"", "x\n".repeat(100).as_bytes()), None);
    }

    #[test]
    fn arguments_are_cut() {
        let data = Data::try_from(toml::toml! { a = "x" }).unwrap();
        assert_eq!(shortened(Some(&data)), Value::structure([("a", Value::from("x"))]));
        let long = shortened(Some(&Data::String("é".repeat(300))));
        assert!(long.as_str().unwrap().ends_with("é… (600 bytes)"));
    }

    #[test]
    fn a_plan_without_end_is_counted() {
        let mut rehearsal = Rehearsal::default();
        for _ in 0..STEPS + 5 {
            rehearsal.add("command.run", Value::Nil, Effect::Run);
        }
        let plan = rehearsal.into_plan();
        assert_eq!((plan.steps.len(), plan.more), (STEPS, 5));
    }
}
