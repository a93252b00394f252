//! What became of a call, host by host: equal results shown once, and a census at the end.

use std::io::{self, Write};

use serde_json::json;

use super::exit::Exit;
use super::render::{self, Folded};
use super::report::Report;
use super::shape::Shape;
use crate::fleet::{Outcome, Summary};
use crate::ids::HostName;
use crate::wire::Value;

/// The outcomes of one call. Every host that was chosen is in it once.
pub(super) struct Outcomes {
    /// What was called.
    pub(super) method: String,
    /// By host.
    pub(super) hosts: Vec<(HostName, Outcome)>,
}

impl Outcomes {
    pub(super) fn summary(&self) -> Summary {
        self.hosts.iter().map(|(_, outcome)| outcome).collect()
    }
}

/// The exit code that outcomes deserve. Hosts that say themselves that they are not meant were reached; where there are only
/// such, the call matches no host, as with a target that means nobody.
pub(super) fn exit_of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Exit {
    let not_meant = |outcome: &Outcome| matches!(outcome, Outcome::Skipped(reason) if reason.is_its_own_word());
    let mut filtered = false;
    let summary: Summary = outcomes.inspect(|outcome| filtered |= not_meant(outcome)).collect();
    if filtered && summary.skipped == summary.total() {
        Exit::NoHost
    } else if !filtered && summary.nobody_reached() {
        Exit::NobodyReachable
    } else if summary.all_well() {
        Exit::Ok
    } else {
        Exit::SomeFailed
    }
}

/// `3 ok, 1 unreachable: 4 hosts`
pub(super) fn census(summary: &Summary) -> String {
    let total = summary.total();
    format!("{}: {total} host{}", counts(summary), if total == 1 { "" } else { "s" })
}

/// `3 ok, 1 unreachable`
pub(super) fn counts(summary: &Summary) -> String {
    let counts = [
        (summary.ok, "ok"),
        (summary.failed, "failed"),
        (summary.unreachable, "unreachable"),
        (summary.refused, "refused"),
        (summary.timed_out, "timed out"),
        (summary.lost, "lost"),
        (summary.cancelled, "cancelled"),
        (summary.skipped, "skipped"),
    ];
    let named: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    named.join(", ")
}

/// Writes outcomes folded: a line of hosts, then what they answered. What a few answered is told by how it differs from what
/// most did.
pub(super) fn write_folded(hosts: &[(HostName, Outcome)], out: &mut dyn Write) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let red = anstyle::AnsiColor::Red.on_default();
    let groups = render::fold(hosts.iter().cloned());
    let usual = usual(&groups);
    for group in &groups {
        let names = render::compress(&group.hosts);
        match &group.result {
            Outcome::Ok(value) => {
                writeln!(out, "{bold}{names}{bold:#}")?;
                match usual.filter(|usual| *usual != value).and_then(|usual| render::differences(usual, value)) {
                    Some(lines) => lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?,
                    None => writeln!(out, "{}", render::value(value, 2))?,
                }
            }
            other => {
                writeln!(out, "{bold}{names}{bold:#}")?;
                for (index, line) in other.to_string().lines().enumerate() {
                    let line = render::visible(line);
                    let pad = if index == 0 { "  " } else { "    " };
                    writeln!(out, "{pad}{red}{line}{red:#}")?;
                }
            }
        }
    }
    Ok(())
}

/// What most hosts answered: at least two, and more than anything else.
fn usual(groups: &[Folded<Outcome>]) -> Option<&Value> {
    let mut answers = groups.iter().filter_map(|group| Some((group.hosts.len(), group.result.value()?)));
    let (most, value) = answers.next()?;
    (most > 1 && answers.all(|(count, _)| count < most)).then_some(value)
}

impl Report for Outcomes {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.shaped(&Shape::Folded, out)
    }

    fn shaped(&self, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
        shape.write(&self.hosts, out)?;
        if shape.is_for_people() { writeln!(out, "{}", census(&self.summary())) } else { Ok(()) }
    }

    fn json(&self) -> serde_json::Value {
        let hosts: serde_json::Map<String, serde_json::Value> =
            self.hosts.iter().map(|(host, outcome)| (host.to_string(), outcome.to_json())).collect();
        json!({ "method": self.method, "hosts": hosts, "summary": self.summary().to_json() })
    }

    fn exit(&self) -> Exit {
        exit_of(self.hosts.iter().map(|(_, outcome)| outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::SkipReason;

    fn outcomes() -> Outcomes {
        let host = |name: &str| name.parse::<HostName>().unwrap();
        Outcomes {
            method: "test.add".to_owned(),
            hosts: vec![
                (host("web2"), Outcome::Ok(Value::Int(3))),
                (host("web1"), Outcome::Ok(Value::Int(3))),
                (host("db1"), Outcome::Unreachable { why: "connection refused".into() }),
            ],
        }
    }

    #[test]
    fn equal_answers_are_shown_once_and_the_census_counts_everybody() {
        let mut text = Vec::new();
        outcomes().text(&mut anstream::StripStream::new(&mut text)).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "web[1-2]\n  3\ndb1\n  unreachable: connection refused\n2 ok, 1 unreachable: 3 hosts\n"
        );
        assert_eq!(outcomes().exit(), Exit::SomeFailed);
    }

    #[test]
    fn whom_a_filter_leaves_out_was_reached_and_if_that_is_everybody_no_host_matches() {
        let unmet = Outcome::Skipped(SkipReason::Facts("cpus is 4".into()));
        let down = Outcome::Skipped(SkipReason::Down);
        let gone = Outcome::Unreachable { why: "x".into() };
        for (outcomes, exit) in [
            (&[&unmet, &unmet][..], Exit::NoHost),
            (&[&unmet, &down], Exit::NoHost),
            (&[&unmet, &gone], Exit::SomeFailed),
            (&[&gone, &down], Exit::NobodyReachable),
            (&[&down], Exit::NobodyReachable),
            (&[&unmet, &Outcome::Ok(Value::Nil)], Exit::Ok),
        ] {
            assert_eq!(exit_of(outcomes.iter().copied()), exit, "{outcomes:?}");
        }
    }

    #[test]
    fn a_minority_is_told_by_what_is_different_about_it() {
        let answer = |size: i64| {
            Outcome::Ok(Value::structure([
                ("size", Value::Int(size)),
                ("kind", Value::from("ext4")),
                ("mode", Value::Int(1)),
            ]))
        };
        let hosts: Vec<(HostName, Outcome)> =
            (1..=5).map(|n| (format!("web{n}").parse().unwrap(), answer(if n == 3 { 4096 } else { 8192 }))).collect();
        let mut text = Vec::new();
        write_folded(&hosts, &mut anstream::StripStream::new(&mut text)).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "web[1-2,4-5]\n  kind: ext4\n  mode: 1\n  size: 8192\nweb3\n  size: 4096, others 8192\n"
        );
    }

    #[test]
    fn programs_get_every_host() {
        let data = outcomes().json();
        assert_eq!(data["hosts"]["web1"]["value"], 3);
        assert_eq!(data["hosts"]["db1"]["outcome"], "unreachable");
        assert_eq!(data["summary"]["total"], 3);
    }
}
