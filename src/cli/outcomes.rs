//! What became of a call, host by host: equal results shown once, and a census at the end.

use std::io::{self, Write};

use serde_json::json;

use super::exit::Exit;
use super::render;
use super::report::Report;
use crate::fleet::{Outcome, Summary};
use crate::ids::HostName;

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

/// The exit code that a census deserves.
pub(super) fn exit_of(summary: &Summary) -> Exit {
    if summary.nobody_reached() {
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

/// Writes outcomes folded: a line of hosts, then what they answered.
pub(super) fn write_folded(hosts: &[(HostName, Outcome)], out: &mut dyn Write) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let red = anstyle::AnsiColor::Red.on_default();
    for group in render::fold(hosts.iter().cloned()) {
        let names = render::compress(&group.hosts);
        match &group.result {
            Outcome::Ok(value) => {
                writeln!(out, "{bold}{names}{bold:#}")?;
                writeln!(out, "{}", render::value(value, 2))?;
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

impl Report for Outcomes {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_folded(&self.hosts, out)?;
        writeln!(out, "{}", census(&self.summary()))
    }

    fn json(&self) -> serde_json::Value {
        let hosts: serde_json::Map<String, serde_json::Value> =
            self.hosts.iter().map(|(host, outcome)| (host.to_string(), outcome.to_json())).collect();
        json!({ "method": self.method, "hosts": hosts, "summary": self.summary().to_json() })
    }

    fn exit(&self) -> Exit {
        exit_of(&self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;

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
    fn programs_get_every_host() {
        let data = outcomes().json();
        assert_eq!(data["hosts"]["web1"]["value"], 3);
        assert_eq!(data["hosts"]["db1"]["outcome"], "unreachable");
        assert_eq!(data["summary"]["total"], 3);
    }
}
