//! What a check answers: on each host, what the method would have done, in order.

use std::io::{self, Write};

use serde_json::Value as Json;

use super::exit::Exit;
use super::outcomes::{Outcomes, census, exit_of, write_folded};
use super::render;
use super::report::Report;
use super::shape::Shape;
use crate::fleet::Outcome;
use crate::ids::HostName;
use crate::wire::Value;

/// The outcomes of a check.
pub(super) struct Checked(pub(super) Outcomes);

impl Report for Checked {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.shaped(&Shape::Folded, out)
    }

    fn shaped(&self, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
        if *shape != Shape::Folded {
            return self.0.shaped(shape, out);
        }
        write_plans(&self.0.hosts, out)?;
        writeln!(out, "{}{}", census(&self.0.summary()), but(&self.0.hosts))
    }

    fn json(&self) -> Json {
        self.0.json()
    }

    fn exit(&self) -> Exit {
        exit_of_check(exit_of(self.0.hosts.iter().map(|(_, outcome)| outcome)), &self.0.hosts)
    }
}

/// A method that would fail is a failure of the check.
pub(super) fn exit_of_check(exit: Exit, hosts: &[(HostName, Outcome)]) -> Exit {
    match exit {
        Exit::Ok if hosts.iter().any(|(_, outcome)| would_fail(outcome)) => Exit::SomeFailed,
        other => other,
    }
}

/// Writes what the method would do, equal plans once.
pub(super) fn write_plans(hosts: &[(HostName, Outcome)], out: &mut dyn Write) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    for group in render::fold(hosts.iter().cloned()) {
        let Outcome::Ok(answer) = &group.result else {
            let hosts: Vec<_> = group.hosts.iter().map(|host| (host.clone(), group.result.clone())).collect();
            write_folded(&hosts, out)?;
            continue;
        };
        writeln!(out, "{bold}{}{bold:#}", render::compress(&group.hosts))?;
        write_answer(answer, out)?;
    }
    Ok(())
}

/// What follows the census: on how many hosts the method would fail.
pub(super) fn but(hosts: &[(HostName, Outcome)]) -> String {
    match hosts.iter().filter(|(_, outcome)| would_fail(outcome)).count() {
        0 => String::new(),
        count => format!("; it would fail on {count}"),
    }
}

/// Whether a host answered that the method would not succeed there.
pub(super) fn would_fail(outcome: &Outcome) -> bool {
    matches!(outcome.value(), Some(Value::Struct(answer)) if answer.contains_key("error"))
}

/// What a method would do on a host, and what it would answer.
pub(super) fn write_answer(answer: &Value, out: &mut dyn Write) -> io::Result<()> {
    let json = answer.to_json();
    let Some(steps) = json["plan"].as_array() else {
        // A minion that answers something else; it is shown as it is.
        return writeln!(out, "{}", render::value(answer, 2));
    };
    if steps.is_empty() {
        writeln!(out, "  would change nothing")?;
    }
    for (index, step) in steps.iter().enumerate() {
        writeln!(out, "  {}. {}", index + 1, render::visible(&line(step)))?;
        for line in step["diff"].as_str().unwrap_or_default().lines() {
            writeln!(out, "       {}", render::visible(line))?;
        }
    }
    if let Some(more) = json["more"].as_u64() {
        writeln!(out, "  … and {more} steps more")?;
    }
    let Value::Struct(members) = answer else { return Ok(()) };
    if let Some(result) = members.get("result").filter(|result| **result != Value::Nil) {
        writeln!(out, "  its own answer:\n{}", render::value(result, 4))?;
    }
    if json["error"].is_object() {
        let (kind, message) = (text(&json["error"]["type"]), text(&json["error"]["message"]));
        writeln!(out, "  it would fail: {}", render::visible(&format!("{kind}: {message}")))?;
    }
    Ok(())
}

/// A step in one line: what, with what, and what would come of it.
fn line(step: &Json) -> String {
    let (call, effect, path) = (text(&step["call"]), text(&step["effect"]), step["path"].as_str());
    let error = step["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    let subject = match path {
        Some(path) => path.to_owned(),
        None => step["arguments"]["path"].as_str().map_or_else(|| command(&step["arguments"]), str::to_owned),
    };
    let size = |contents: &Json| contents["size"].as_u64().map(|size| format!("{size} bytes"));
    let sizes = match (size(&step["before"]), size(&step["after"])) {
        (Some(before), Some(after)) => format!(" ({before} → {after})"),
        (Some(size), None) | (None, Some(size)) => format!(" ({size})"),
        (None, None) => String::new(),
    };
    format!("{call} {subject}: {effect}{error}{sizes}")
}

/// A program with its arguments, or whatever else the arguments are.
fn command(arguments: &Json) -> String {
    let Some(program) = arguments["program"].as_str() else { return arguments.to_string() };
    let words = arguments["args"].as_array().into_iter().flatten().map(|word| {
        let word = text(word);
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '\'') {
            format!("{word:?}")
        } else {
            word
        }
    });
    std::iter::once(program.to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(answer: &Json) -> Checked {
        let hosts = ["web1", "web2"].map(|host| (host.parse().unwrap(), Outcome::Ok(Value::from_json(answer)))).into();
        Checked(Outcomes { method: "check.a.b".to_owned(), hosts })
    }

    fn shown(checked: &Checked) -> String {
        let mut text = Vec::new();
        checked.text(&mut anstream::StripStream::new(&mut text)).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_plan_is_read_step_by_step() {
        let checked = checked(&json!({
            "plan": [
                { "call": "files.write", "arguments": { "path": "/e/link", "contents": "x" }, "path": "/e/motd",
                  "effect": "changed", "before": { "size": 3 }, "after": { "size": 4 }, "diff": "@@ line 1 @@\n-a\n+b\n" },
                { "call": "command.run", "arguments": { "program": "kill", "args": ["-s", "a b"] }, "effect": "not run" },
                { "call": "files.remove", "arguments": { "path": "/gone" }, "effect": "fails", "error": "not\u{1b} there" },
            ],
            "result": 7,
        }));
        insta::assert_snapshot!(shown(&checked), @r#"
        web[1-2]
          1. files.write /e/motd: changed (3 bytes → 4 bytes)
               @@ line 1 @@
               -a
               +b
          2. command.run kill -s "a b": not run
          3. files.remove /gone: fails: not\u{1b} there
          its own answer:
            7
        2 ok: 2 hosts
        "#);
        assert_eq!(checked.exit(), Exit::Ok);
    }

    #[test]
    fn a_method_that_would_fail_fails_the_check() {
        let checked = checked(&json!({ "plan": [], "error": { "type": "denied", "message": "no", "trace": "" } }));
        assert!(
            shown(&checked).contains("  would change nothing\n  it would fail: denied: no\n"),
            "{}",
            shown(&checked)
        );
        assert_eq!(checked.exit(), Exit::SomeFailed);
    }
}
