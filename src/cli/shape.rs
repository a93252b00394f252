//! In which form the answers of many hosts are shown.

use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::outcomes::write_folded;
use super::render::{self, Field, Order};
use super::report::{Report, Silent};
use crate::fleet::Outcome;
use crate::ids::HostName;
use crate::wire::{Answer, RemoteError, Value, encode_answer};

/// How answers are shown; equal ones once, unless something else is asked for.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "shape", multiple = false)]
pub(super) struct ShapeOptions {
    /// Show this field of the answers alone, like `os.version`, and fold by it
    #[arg(long, value_name = "FIELD")]
    by: Option<Field>,
    /// Show a table, a row for each host, in the order of this field, of `host`, or of `answer`; `-FIELD` turns it around
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<Order>,
    /// Print a line of JSON for each host as soon as it has ended
    #[arg(long)]
    jsonl: bool,
    /// Print all answers as one XML-RPC answer: a struct by host
    #[arg(long)]
    xmlrpc: bool,
    /// Print the answers alone, by the names of their hosts: texts and bytes as they are, all else as JSON
    #[arg(long)]
    raw: bool,
}

/// A form of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Equal ones once, minorities by what is different about them.
    Folded,
    /// The same of one field.
    By(Field),
    /// A table.
    Sorted(Order),
    /// A line of JSON for each host.
    JsonLines,
    /// One XML-RPC answer.
    XmlRpc,
    /// Nothing but the answers.
    Raw,
}

impl ShapeOptions {
    /// The form that was asked for.
    pub(super) fn shape(&self, context: &Context) -> Result<Shape, Failure> {
        let shape = match self {
            Self { by: Some(field), .. } => Shape::By(field.clone()),
            Self { sort: Some(order), .. } => Shape::Sorted(order.clone()),
            Self { jsonl: true, .. } => Shape::JsonLines,
            Self { xmlrpc: true, .. } => Shape::XmlRpc,
            Self { raw: true, .. } => Shape::Raw,
            _ => Shape::Folded,
        };
        if context.json && shape != Shape::Folded {
            return Err(Failure::new(Exit::Usage, "`--json` is a form of its own: leave it out, or the other one"));
        }
        Ok(shape)
    }
}

impl Shape {
    /// Whether people read it, so that a census belongs below.
    pub(super) fn is_for_people(&self) -> bool {
        matches!(self, Self::Folded | Self::By(_) | Self::Sorted(_))
    }

    /// Writes what became of each host.
    pub(super) fn write(&self, hosts: &[(HostName, Outcome)], out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Folded => write_folded(hosts, out),
            Self::By(field) => by(hosts, field, out),
            Self::Sorted(order) => sorted(hosts, order, out),
            Self::JsonLines => {
                hosts.iter().try_for_each(|(host, outcome)| writeln!(out, "{}", json_line(host, outcome)))
            }
            Self::XmlRpc => {
                let members = hosts.iter().map(|(host, outcome)| (host.as_str(), on_the_wire(outcome)));
                writeln!(out, "{}", encode_answer(&Answer::Value(Value::structure(members))))
            }
            Self::Raw => {
                // Not by `out`, which would take what looks like colours out of them.
                let stdout = io::stdout();
                raw(hosts, stdout.is_terminal(), &mut stdout.lock())
            }
        }
    }

    /// A report in this form. What was printed as it came is not printed again.
    pub(super) fn of(self, report: Box<dyn Report>, streamed: bool) -> Box<dyn Report> {
        match self {
            Self::Folded => report,
            Self::JsonLines if streamed => Box::new(Silent(report.exit())),
            shape => Box::new(InShape { report, shape }),
        }
    }
}

/// A report in another form than the usual one.
struct InShape {
    report: Box<dyn Report>,
    shape: Shape,
}

impl Report for InShape {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.report.shaped(&self.shape, out)
    }

    fn json(&self) -> serde_json::Value {
        self.report.json()
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

/// One host's end for programs, on one line.
pub(super) fn json_line(host: &HostName, outcome: &Outcome) -> String {
    let mut line = outcome.to_json();
    line["host"] = serde_json::json!(host);
    line.to_string()
}

fn on_the_wire(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Ok(value) => value.clone(),
        Outcome::Failed(error) => error.to_value(),
        other => RemoteError::new(other.name(), other.why().unwrap_or_default()).to_value(),
    }
}

fn by(hosts: &[(HostName, Outcome)], field: &Field, out: &mut dyn Write) -> io::Result<()> {
    let mut without = Vec::new();
    let mut found = Vec::new();
    for (host, outcome) in hosts {
        match outcome.value().map(|value| field.of(value)) {
            Some(Some(value)) => found.push((host.clone(), Outcome::Ok(value))),
            Some(None) => without.push(host),
            None => found.push((host.clone(), outcome.clone())),
        }
    }
    write_folded(&found, out)?;
    if !without.is_empty() {
        writeln!(out, "{}\n  has no `{}`", render::compress(without), render::visible(field.as_str()))?;
    }
    Ok(())
}

fn sorted(hosts: &[(HostName, Outcome)], order: &Order, out: &mut dyn Write) -> io::Result<()> {
    let answers: Vec<_> = hosts.iter().filter_map(|(host, outcome)| Some((host, outcome.value()?))).collect();
    if !answers.is_empty() {
        writeln!(out, "{}", render::rows(&answers, order))?;
    }
    let others: Vec<_> = hosts.iter().filter(|(_, outcome)| !outcome.is_ok()).cloned().collect();
    write_folded(&others, out)
}

fn raw(hosts: &[(HostName, Outcome)], terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut sorted: Vec<&(HostName, Outcome)> = hosts.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (host, outcome) in sorted {
        match outcome {
            Outcome::Ok(Value::String(text)) if terminal => {
                text.lines().try_for_each(|line| writeln!(out, "{}", render::visible(line)))?;
            }
            Outcome::Ok(Value::String(text)) => {
                out.write_all(text.as_bytes())?;
                if !text.ends_with('\n') {
                    writeln!(out)?;
                }
            }
            Outcome::Ok(Value::Bytes(bytes)) if terminal => writeln!(out, "{} bytes", bytes.len())?,
            Outcome::Ok(Value::Bytes(bytes)) => out.write_all(bytes)?,
            Outcome::Ok(value) => writeln!(out, "{}", escaped(&value.to_json().to_string(), terminal))?,
            other => Context::say(render::visible(&format!("{host}: {other}"))),
        }
    }
    out.flush()
}

fn escaped(text: &str, terminal: bool) -> String {
    if terminal { render::visible(text) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<(HostName, Outcome)> {
        let os = |id: &str, cpus: i64| Value::structure([("id", Value::from(id)), ("cpus", Value::Int(cpus))]);
        [
            ("web2", Outcome::Ok(os("debian", 4))),
            ("web1", Outcome::Ok(os("debian", 8))),
            ("db1", Outcome::Ok(Value::from("\u{1b}[2Jx"))),
            ("db2", Outcome::Unreachable { why: "gone".into() }),
        ]
        .map(|(host, outcome)| (host.parse().unwrap(), outcome))
        .into()
    }

    fn shown(shape: &Shape) -> String {
        let mut text = Vec::new();
        shape.write(&hosts(), &mut anstream::StripStream::new(&mut text)).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn answers_are_folded_by_one_field() {
        insta::assert_snapshot!(shown(&Shape::By("id".parse().unwrap())), @r"
        web[1-2]
          debian
        db2
          unreachable: gone
        db1
          has no `id`
        ");
    }

    #[test]
    fn a_table_has_a_row_for_each_answer_and_the_others_below() {
        insta::assert_snapshot!(shown(&Shape::Sorted("-cpus".parse().unwrap())), @r"
        HOST  CPUS  ID      ANSWER
        web1     8  debian
        web2     4  debian
        db1                 \u{1b}[2Jx
        db2
          unreachable: gone
        ");
    }

    #[test]
    fn programs_get_a_line_for_each_host_or_a_struct_of_all() {
        let lines = shown(&Shape::JsonLines);
        let read: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.len(), 4);
        assert_eq!((&read[0]["host"], &read[0]["value"]["cpus"]), (&"web2".into(), &4.into()));
        assert_eq!((&read[3]["outcome"], &read[3]["why"]), (&"unreachable".into(), &"gone".into()));

        let Ok(Answer::Value(Value::Struct(all))) = crate::wire::parse_answer(shown(&Shape::XmlRpc).trim().as_bytes())
        else {
            panic!("no struct")
        };
        assert_eq!(RemoteError::from_value(&all["db2"]).unwrap().kind, "unreachable");
        assert!(matches!(&all["web1"], Value::Struct(_)));
    }

    #[test]
    fn raw_answers_are_as_they_are_but_on_a_terminal() {
        let raw = |terminal| {
            let mut text = Vec::new();
            raw(&hosts(), terminal, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert!(raw(false).starts_with("\u{1b}[2Jx\n{"), "{}", raw(false));
        assert!(raw(true).starts_with("\\u{1b}[2Jx\n{"), "{}", raw(true));
    }
}
