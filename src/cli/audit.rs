//! `func audit`: the record of who did what on a minion, or at the authority.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use globset::{Glob, GlobMatcher};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::outcomes::Outcomes;
use super::render::{self, visible};
use super::report::Report;
use crate::access::{Checked, Head, audit_files, verify_audit};
use crate::ca::AUDIT_FILE;
use crate::config::Period;
use crate::fleet::Target;
use crate::ids::MethodName;
use crate::minion::MinionConfig;

/// Show and verify the record of calls, denials and changes of this minion, or of the authority
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    Show(Show),
    Verify(Verify),
    Head(HeadOf),
}

impl Audit {
    /// Does what the subcommand says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        match self {
            Self::Show(command) => command.run(context),
            Self::Verify(command) => command.run(context),
            Self::Head(command) => command.run(context),
        }
    }
}

/// Which log.
#[derive(Debug, Args)]
struct Log {
    /// Read this log instead of the minion's
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Read the log of the authority on this machine instead of the minion's
    #[arg(long, conflicts_with = "log")]
    ca: bool,
}

impl Log {
    fn path(self, context: &Context) -> Result<PathBuf, Failure> {
        if let Some(named) = self.log {
            Ok(named)
        } else if self.ca {
            Ok(context.home.authority().join(AUDIT_FILE))
        } else {
            let config = MinionConfig::load_or_default(&context.home.minion_toml(), &context.home);
            Ok(config.or_exit(Exit::Configuration)?.folders.audit)
        }
    }
}

/// Hold the log against its chain: find what was altered, removed, moved or cut off
///
/// Lines cut off the end are found as long as the file audit.jsonl.head beside the log was not cut back with it. A
/// head that was noted elsewhere (`func audit head`) also finds a log that was written anew as a whole. Exit code 1
/// if anything is wrong.
#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    log: Log,
    /// A head that was noted earlier and elsewhere: the log must hold it
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<Head>,
}

impl Verify {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let path = self.log.path(context)?;
        let checked = verify_audit(&path, self.head).map_err(|error| {
            Failure::new(Exit::Configuration, format!("cannot read the audit log `{}`: {error}", path.display()))
                .hint("run this as the user whose log it is, on its machine")
        })?;
        Ok(Box::new(Verified(checked)))
    }
}

struct Verified(Checked);

impl Report for Verified {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self(checked) = self;
        checked.findings.iter().try_for_each(|finding| writeln!(out, "! {}", visible(finding)))?;
        if checked.more > 0 {
            writeln!(out, "! and {} more", checked.more)?;
        }
        checked.notes.iter().try_for_each(|note| writeln!(out, "  {}", visible(note)))?;
        match checked.last {
            None => writeln!(out, "no lines"),
            Some(last) if checked.findings.is_empty() => {
                writeln!(out, "{} lines, whole from number {} on; head {last}", checked.lines, checked.first)
            }
            Some(last) => writeln!(out, "{} lines, not as they were written; head {last}", checked.lines),
        }
    }

    fn json(&self) -> Json {
        let Self(Checked { lines, first, last, findings, more, notes }) = self;
        let head = last.map(|last| last.to_string());
        json!({ "lines": lines, "first": first, "head": head, "findings": findings, "more": more, "notes": notes })
    }

    fn exit(&self) -> Exit {
        if self.0.findings.is_empty() { Exit::Ok } else { Exit::SomeFailed }
    }
}

/// Ask minions for the number and hash of their logs' last lines, to be noted where nobody there can change it
#[derive(Debug, Args)]
pub(super) struct HeadOf {
    /// Whom to ask: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    #[arg(default_value = "*")]
    target: Target,
    #[command(flatten)]
    fleet: FleetOptions,
}

impl HeadOf {
    fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.target)?;
        let method: MethodName = "system.audit_head".parse().or_exit(Exit::Internal)?;
        let hosts = Context::block_on(async {
            let answers = overlord.call(selection, &method, Vec::new(), self.fleet.call_options())?;
            Ok(answers.collect().await)
        })?;
        Ok(Box::new(Outcomes { method: method.to_string(), hosts }))
    }
}

/// Show lines of the log, the newest last
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    log: Log,
    /// Only calls of callers whose name fits this glob
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    caller: Option<GlobMatcher>,
    /// Only calls of methods that fit this glob, `async.` and `check.` left out
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    method: Option<GlobMatcher>,
    /// Only lines with this outcome or event: ok, failed, denied, reload, grant, …
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Only lines of the last hours or days: 2h, 7d
    #[arg(long, value_name = "PERIOD")]
    since: Option<Period>,
    /// Only the last so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: usize,
    /// Also the lines that calls of modules begin with
    #[arg(long)]
    begun: bool,
}

fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    Glob::new(text).map(|glob| glob.compile_matcher())
}

impl Show {
    fn run(mut self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let path = std::mem::replace(&mut self.log, Log { log: None, ca: false }).path(context)?;
        let unreadable = |error: io::Error| {
            Failure::new(Exit::Configuration, format!("cannot read the audit log `{}`: {error}", path.display()))
        };
        let after = self.since.map(|since| {
            let since = SignedDuration::try_from(since.duration()).unwrap_or(SignedDuration::MAX);
            Timestamp::now().saturating_sub(since).unwrap_or(Timestamp::MIN)
        });
        let mut kept = std::collections::VecDeque::new();
        for file in audit_files(&path).map_err(unreadable)? {
            for line in BufReader::new(File::open(file).map_err(unreadable)?).split(b'\n') {
                // What is no JSON is for `func audit verify` to tell of.
                let Ok(line) = serde_json::from_slice::<Json>(&line.map_err(unreadable)?) else { continue };
                if self.wants(&line, after) {
                    kept.push_back(line);
                    if kept.len() > self.last {
                        kept.pop_front();
                    }
                }
            }
        }
        Ok(Box::new(Shown(kept.into())))
    }

    fn wants(&self, line: &Json, after: Option<Timestamp>) -> bool {
        let text = |key: &str| line[key].as_str();
        let fits = |glob: &Option<GlobMatcher>, text: Option<&str>| {
            glob.as_ref().is_none_or(|glob| text.is_some_and(|text| glob.is_match(text)))
        };
        let method = text("method").map(|method| method.strip_prefix("async.").unwrap_or(method));
        let method = method.map(|method| method.strip_prefix("check.").unwrap_or(method));
        let outcome = text("outcome").or(text("event"));
        (self.begun || outcome != Some("begun") || self.outcome.as_deref() == Some("begun"))
            && fits(&self.caller, text("caller"))
            && fits(&self.method, method)
            && self.outcome.as_deref().is_none_or(|wanted| Some(wanted) == outcome || Some(wanted) == text("event"))
            && after.is_none_or(|after| {
                text("time").and_then(|time| time.parse::<Timestamp>().ok()).is_some_and(|time| time >= after)
            })
    }
}

/// Lines as they stand in the log.
struct Shown(Vec<Json>);

impl Report for Shown {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        if rows.is_empty() {
            return writeln!(out, "no such lines");
        }
        let header = ["number", "time", "caller", "from", "what", "outcome", "ms"];
        writeln!(out, "{}", render::table(&header, &rows, &[0, 6]))
    }

    fn json(&self) -> Json {
        Json::Array(self.0.clone())
    }
}

/// What a line of an event has besides, in few words.
const OF_THE_LINE: [&str; 6] = ["time", "event", "seq", "hash", "caller", "outcome"];

fn row(line: &Json) -> Vec<String> {
    let text = |key: &str| visible(line[key].as_str().unwrap_or_default());
    let what = if let (Some(method), args) = (line["method"].as_str(), line["args"].as_str()) {
        let args = args.unwrap_or("[]");
        let args = args.strip_prefix('[').and_then(|args| args.strip_suffix(']')).unwrap_or(args);
        format!("{method}({args})")
    } else {
        let members = line.as_object().into_iter().flatten();
        let event = line["event"].is_string();
        let told = members.filter(|(key, _)| event && !OF_THE_LINE.contains(&key.as_str()));
        told.map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ")
    };
    let outcome = match (line["outcome"].as_str(), line["event"].as_str(), line["error"].as_str()) {
        (_, Some(event), _) => event.to_owned(),
        (Some(outcome), None, Some(error)) => format!("{outcome}: {error}"),
        (outcome, None, _) => outcome.unwrap_or_default().to_owned(),
    };
    let time: String = text("time").chars().take(19).collect();
    vec![
        line["seq"].to_string(),
        time,
        text("caller"),
        text("from"),
        clipped(&what),
        clipped(&outcome),
        line["duration_ms"].as_f64().map(|ms| format!("{ms:.1}")).unwrap_or_default(),
    ]
}

fn clipped(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    visible(&format!("{cut}{more}"))
}
