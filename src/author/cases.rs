//! Cases: one call of a method each, a recording that answers for its host, and what must come of it.
//!
//! ```toml
//! method = "disk.usage"
//! args = ["/srv"]
//! expect.result = { total = 10, free = 3 }     # or expect.error = { kind = "denied", message = "may not read" }
//!
//! [[inject]]                                   # optional: the second read of a file fails
//! call = "files.read"
//! nth = 2
//! error = { kind = "failed", message = "input/output error" }
//!
//! [[call]]                                     # what the host answers, as `func module run --record` writes it
//! name = "files.read"
//! args = { path = "/proc/self/mountinfo" }
//! answer = "..."
//! ```
//!
//! `recording = "FILE"` takes the calls from another file, beside the case. A case that asks its host what was
//! not recorded fails. What is nil is left out, and `{ "$nil" = true }` in a list. In a call of the host bytes are text
//! where they are UTF-8, else `{ base64 = "…" }`; in `args` and `expect.result` they are `{ "$base64" = "…" }`, as in JSON
//! everywhere.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use toml::{Table, Value as Toml};

use super::Error;
use crate::{
    ids::MethodName,
    plugin::{CallContext, CallError, Injection, Mode, Plugin, RecordedCall, Recording, Replay, Trail},
    wire::Value,
};

/// The folder of a module's cases, beside its Cargo.toml.
const FOLDER: &str = "cases";
/// The end of the name of a file that is a recording for cases and not one itself.
const RECORDING: &str = ".calls.toml";
/// What a case may take. It waits for nothing but its own module.
const DEADLINE: Duration = Duration::from_mins(1);
/// What stands for nil in a list: TOML has no nil.
const NIL: &str = "$nil";

/// One call and what must come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The method.
    pub method: MethodName,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Toml>,
    /// A file beside the case that has the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<PathBuf>,
    /// What WASI's random numbers are made of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seed: String,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Injection>,
    /// What the host answers.
    #[serde(default, rename = "call", skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<RecordedCall>,
}

/// What must come of a call: an error if one is named, else this result, which is nil if there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Toml>,
    /// The error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExpectedError>,
}

/// What an error must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A part of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseReport {
    /// The module's folder and the case's file: `disk/usage`.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What was expected and what came, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// What else went wrong.
    pub problems: Vec<String>,
    /// Recorded calls that were not made. That alone is no failure.
    pub unused: Vec<String>,
}

/// An expectation and the truth, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What was expected.
    pub expected: String,
    /// What came.
    pub actual: String,
}

/// The files of cases below a module's folder, or below the folders in it.
pub fn case_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let own = folder.join(FOLDER);
    let folders = if own.is_dir() { vec![own] } else { listed(folder)?.into_iter().map(|f| f.join(FOLDER)).collect() };
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        let is_case = |path: &PathBuf| {
            let is_recording = path.to_string_lossy().ends_with(RECORDING);
            path.extension().is_some_and(|extension| extension == "toml") && !is_recording
        };
        files.extend(listed(&folder)?.into_iter().filter(is_case));
    }
    Ok(files)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = entries.map_err(Error::file("read", folder))?;
    paths.sort();
    Ok(paths)
}

impl Case {
    /// Reads a case, and the recording that it names.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut case: Self = read(path)?;
        if let Some(beside) = case.recording.take() {
            let recording: Recording = read(&path.with_file_name(beside))?;
            case.seed = recording.seed;
            case.calls.extend(recording.calls);
        }
        Ok(case)
    }

    /// The case that a call would have been: what it was given, what it asked, what came of it.
    pub fn of_call(
        method: MethodName,
        args: &[Value],
        recording: Recording,
        answer: &Result<Value, CallError>,
    ) -> Self {
        let expect = match answer {
            Ok(value) => Expect { result: data(value), error: None },
            Err(error) => {
                let (kind, message) = (Some(error.kind().to_owned()), Some(error.to_string()));
                Expect { result: None, error: Some(ExpectedError { kind, message }) }
            }
        };
        let args = args.iter().map(item).collect();
        let Recording { seed, calls } = recording;
        Self { method, args, recording: None, seed, expect, inject: Vec::new(), calls }
    }

    /// The case as text to edit.
    pub fn to_text(&self) -> String {
        // It holds nothing that TOML cannot.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Makes the call, with the recording in the host's place.
    pub async fn run(&self, name: String, plugin: &Plugin) -> CaseReport {
        let began = Instant::now();
        let mut context = CallContext::bare("case-minion", "author", DEADLINE);
        let recording = Recording { seed: self.seed.clone(), calls: self.calls.clone() };
        context.mode = Mode::Replay(Box::new(Replay { recording, injections: self.inject.clone() }));
        let args: Vec<Value> = self.args.iter().map(value).collect();
        let called = plugin.call_measured(&self.method, &args, context).await;
        let mut problems = Vec::new();
        let mut unused = Vec::new();
        if let Trail::Replayed(replayed) = &called.trail {
            problems.extend(replayed.unrecorded.iter().map(|call| format!("it asked what was not recorded: {call}")));
            problems.extend(replayed.misfits.iter().cloned());
            let missed = |injection: &Injection| {
                format!("call {} of {} was not made, so its failure was not injected", injection.nth, injection.call)
            };
            problems.extend(replayed.not_injected.iter().map(missed));
            unused.extend(replayed.unused.iter().map(ToString::to_string));
        }
        let difference = self.expect.difference(&called.answer);
        let passed = problems.is_empty() && difference.is_none();
        CaseReport { name, passed, seconds: began.elapsed().as_secs_f64(), difference, problems, unused }
    }
}

impl Expect {
    fn difference(&self, answer: &Result<Value, CallError>) -> Option<Difference> {
        let fits = match (answer, &self.error) {
            (Ok(value), None) => data(value) == self.result,
            (Err(error), Some(expected)) => {
                expected.kind.as_ref().is_none_or(|kind| kind == error.kind())
                    && expected.message.as_ref().is_none_or(|message| error.to_string().contains(message))
            }
            _ => false,
        };
        let actual = match answer {
            Ok(value) => shown(data(value).as_ref()),
            Err(error) => format!("error {}: {error}", error.kind()),
        };
        let expected = match &self.error {
            None => shown(self.result.as_ref()),
            Some(ExpectedError { kind, message }) => {
                let any = || "any".to_owned();
                let message = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                format!("error {}{message}", kind.clone().unwrap_or_else(any))
            }
        };
        (!fits).then_some(Difference { expected, actual })
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    toml::from_str(&text).map_err(|source| Error::Case { path: path.to_owned(), source: Box::new(source) })
}

/// A value as it stands in a case; nothing for nil.
fn data(value: &Value) -> Option<Toml> {
    Some(match value {
        Value::Nil => return None,
        Value::Bool(truth) => Toml::Boolean(*truth),
        Value::Int(number) => Toml::Integer(*number),
        Value::Double(number) => Toml::Float(*number),
        Value::String(text) => Toml::String(text.clone()),
        Value::Array(items) => Toml::Array(items.iter().map(item).collect()),
        Value::Struct(members) => {
            Toml::Table(members.iter().filter_map(|(key, value)| Some((key.clone(), data(value)?))).collect())
        }
        // The tagged forms of JSON are objects with text in them.
        Value::Bytes(_) | Value::DateTime(_) | Value::Secret(_) => Toml::try_from(value.to_json()).ok()?,
    })
}

/// A value as it stands in a list.
fn item(value: &Value) -> Toml {
    data(value).unwrap_or_else(|| Toml::Table(Table::from_iter([(NIL.to_owned(), Toml::Boolean(true))])))
}

fn value(data: &Toml) -> Value {
    match data {
        Toml::Table(table) if table.len() == 1 && table.contains_key(NIL) => Value::Nil,
        Toml::Array(items) => Value::Array(items.iter().map(value).collect()),
        other => serde_json::to_value(other).map_or(Value::Nil, |json| Value::from_json(&json)),
    }
}

/// One value, over several lines where it is long.
fn shown(data: Option<&Toml>) -> String {
    match data {
        None => "nil".to_owned(),
        Some(Toml::Table(table)) => toml::to_string_pretty(table).unwrap_or_default(),
        Some(other) => {
            let table = Table::from_iter([("result".to_owned(), other.clone())]);
            toml::to_string_pretty(&table).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_call_is_a_case_that_reads_well() {
        let value =
            Value::structure([("name", Value::from("x")), ("raw", Value::Bytes(vec![255])), ("no", Value::Nil)]);
        let call = RecordedCall {
            name: "files.read".to_owned(),
            args: toml::toml! { path = "/a" },
            answer: Some("one\ntwo\n".into()),
            error: None,
        };
        let recording = Recording { seed: String::new(), calls: vec![call] };
        let args = [Value::Nil, Value::Array(vec![Value::Nil, 1.into()])];
        let case = Case::of_call("a.b".parse().unwrap(), &args, recording, &Ok(value.clone()));
        let text = case.to_text();
        let read: Case = toml::from_str(&text).unwrap();
        assert_eq!(read, case, "{text}");
        assert_eq!(read.args.iter().map(super::value).collect::<Vec<_>>(), args, "{text}");
        assert_eq!(read.expect.difference(&Ok(value)), None);
        let other = read.expect.difference(&Ok(Value::Nil)).unwrap();
        assert!(other.expected.contains("$base64") && other.actual == "nil", "{other:?}");
    }

    #[test]
    fn an_error_is_expected_by_its_kind_and_a_part_of_its_message() {
        let expect = |text: &str| toml::from_str::<Expect>(text).unwrap();
        let failed =
            || Err(CallError::Failed { kind: "denied".into(), message: "may not read".into(), detail: String::new() });
        assert_eq!(expect("error = { kind = \"denied\", message = \"not read\" }").difference(&failed()), None);
        assert_eq!(expect("error = {}").difference(&failed()), None);
        assert!(expect("error = { kind = \"failed\" }").difference(&failed()).is_some());
        assert!(expect("result = 1").difference(&failed()).is_some());
        assert!(expect("error = { kind = \"denied\" }").difference(&Ok(Value::Nil)).is_some());
    }
}
