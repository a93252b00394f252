//! `func doc`: what modules and methods there are, from the modules themselves.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::overlord;
use super::render;
use super::report::{Lines, Report};
use crate::config::Period;
use crate::fleet::{Outcome, Rollout, Selection, Selector, Target};
use crate::ids::{HostName, MethodName, ModuleName};
use crate::overlord::{CallOptions, Described, Overlord, described, first_answer};
use crate::plugin::{named, similar};
use crate::wire::Value;

/// Show which modules and methods there are, and what a method wants and answers
#[derive(Debug, Args)]
pub(super) struct Doc {
    /// A module, or MODULE.METHOD; all modules when left out
    what: Option<String>,
    /// Ask one of these: like `web*;db1`, `web{1..20}` or `@web and not (web1 or @old)`
    #[arg(long, value_name = "TARGET", default_value = "*")]
    on: Target,
    /// Wait so long for an answer
    #[arg(long, value_name = "PERIOD", default_value = "20s")]
    timeout: Period,
}

/// What was asked about.
enum Subject {
    Everything,
    Module(ModuleName),
    Method(MethodName),
}

impl Doc {
    /// Asks one minion of the target and shows what it says.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = overlord.select(&Selector::new(self.on))?;
        let options = CallOptions { forks: 1, timeout: Some(self.timeout.duration()), rollout: Rollout::default() };
        let asker = Asker { overlord: overlord.clone(), selection, options };
        Context::block_on(async {
            match asker.subject(self.what.as_deref()).await? {
                Subject::Everything => asker.everything().await,
                Subject::Module(module) => asker.module(&module, None).await,
                Subject::Method(method) => asker.module(method.module(), Some(method.method())).await,
            }
        })
    }
}

/// Asks a few hosts and takes the first good answer.
struct Asker {
    overlord: Overlord,
    selection: Selection,
    options: CallOptions,
}

impl Asker {
    async fn ask(&self, method: &str, params: Vec<Value>) -> Result<(HostName, Value), Failure> {
        let method: MethodName = method.parse().or_exit(Exit::Usage)?;
        let answer = first_answer(&self.overlord, &self.selection, &method, &params, self.options, Some).await;
        answer.map_err(|last| match last {
            Some((host, outcome @ Outcome::Unreachable { .. })) => Failure::new(
                Exit::NobodyReachable,
                format!("no host that was asked is there; the last, `{host}`: {outcome}"),
            )
            .hint("see who is there with `func ping`, and name one with --on HOST"),
            Some((host, outcome)) => Failure::new(Exit::SomeFailed, format!("`{host}`: {outcome}"))
                .hint("list what there is with `func doc`"),
            None => Failure::new(Exit::NobodyReachable, "no host answered in time")
                .hint("see who is there with `func ping`, and name one with --on HOST"),
        })
    }

    /// `disk` is a module and `disk.usage` a method, but `netapp.vol` may be either.
    async fn subject(&self, what: Option<&str>) -> Result<Subject, Failure> {
        let Some(what) = what else { return Ok(Subject::Everything) };
        let usage = |error| Failure::new(Exit::Usage, error).hint("write it as MODULE or MODULE.METHOD");
        if !what.contains('.') {
            return what.parse().map(Subject::Module).map_err(usage);
        }
        let (_, modules) = self.ask("system.list_modules", Vec::new()).await?;
        let is_module = matches!(&modules, Value::Array(names) if names.iter().any(|name| name.as_str() == Some(what)));
        if is_module {
            return what.parse().map(Subject::Module).map_err(usage);
        }
        what.parse().map(Subject::Method).map_err(usage)
    }

    async fn everything(&self) -> Result<Box<dyn Report>, Failure> {
        let (host, inventory) = self.ask("system.inventory", Vec::new()).await?;
        let Value::Struct(modules) = inventory else {
            return Err(Failure::new(Exit::Internal, format!("`{host}` does not answer like a minion")));
        };
        let calls = modules.keys().map(|module| {
            let method = Value::from(format!("{module}.module_description"));
            Value::structure([("methodName", method), ("params", Value::Array(Vec::new()))])
        });
        let (_, described) = self.ask("system.multicall", vec![Value::Array(calls.collect())]).await?;
        let descriptions: Vec<String> = match described {
            Value::Array(answers) => answers.iter().map(|answer| first_text(answer).unwrap_or_default()).collect(),
            _ => Vec::new(),
        };
        let rows: Vec<Vec<String>> = modules
            .iter()
            .enumerate()
            .map(|(index, (module, methods))| {
                let description = descriptions.get(index).cloned().unwrap_or_default();
                vec![render::visible(module), names(methods).join(" "), summary(&description)]
            })
            .collect();
        let data = json!({
            "host": host,
            "modules": modules.iter().enumerate().map(|(index, (module, methods))| json!({
                "name": module, "methods": names(methods), "description": descriptions.get(index),
            })).collect::<Vec<_>>(),
        });
        let table = render::table(&["module", "methods", "description"], &rows, &[]);
        Ok(Box::new(Lines { lines: vec![table], data }))
    }

    async fn module(&self, module: &ModuleName, method: Option<&str>) -> Result<Box<dyn Report>, Failure> {
        let (host, answer) = match self.ask(&format!("{module}.get_method_args"), Vec::new()).await {
            Ok(told) => told,
            Err(failure) => return Err(self.without(module).await.unwrap_or(failure)),
        };
        let mut methods = described(&answer);
        if let Some(wanted) = method {
            methods.retain(|name, _| name == wanted);
            if methods.is_empty() {
                let there = described(&answer);
                let names: Vec<&str> = there.keys().map(String::as_str).collect();
                let why = format!("module `{module}` on `{host}` has no method `{wanted}`");
                return Err(Failure::new(Exit::SomeFailed, why).hint(instead(wanted, &names)));
            }
        }
        let description = if method.is_some() {
            String::new()
        } else {
            let (_, text) = self.ask(&format!("{module}.module_description"), Vec::new()).await?;
            text.as_str().unwrap_or_default().to_owned()
        };
        Ok(Box::new(ModuleDoc { module: module.clone(), description, methods: methods.into_iter().collect(), host }))
    }
}

impl Asker {
    /// The failure of a host that answers, and has no such module.
    async fn without(&self, module: &ModuleName) -> Option<Failure> {
        let (host, Value::Array(modules)) = self.ask("system.list_modules", Vec::new()).await.ok()? else {
            return None;
        };
        let names: Vec<&str> = modules.iter().filter_map(Value::as_str).collect();
        if names.contains(&module.as_str()) {
            return None;
        }
        let why = format!("`{host}` has no module `{module}`");
        Some(Failure::new(Exit::SomeFailed, why).hint(instead(module.as_str(), &names)))
    }
}

/// What was probably meant, and what there is.
fn instead(wanted: &str, names: &[&str]) -> String {
    let there_are = match names {
        [] => "it has none".to_owned(),
        names => format!("there are: {}", render::visible(&names.join(", "))),
    };
    match similar(wanted, names.iter().copied()) {
        Some(near) => format!("did you mean `{}`? {there_are}", render::visible(near)),
        None => there_are,
    }
}

/// The text of one answer of a multicall: each is a list of one value.
fn first_text(answer: &Value) -> Option<String> {
    match answer {
        Value::Array(items) => items.first()?.as_str().map(str::to_owned),
        _ => None,
    }
}

fn names(methods: &Value) -> Vec<String> {
    match methods {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(render::visible).collect(),
        _ => Vec::new(),
    }
}

/// `NAME: TYPE  MEANING`, as far as there is, on one line.
fn about(name: &str, type_name: &str, doc: &str) -> String {
    let colon = if type_name.is_empty() { "" } else { ": " };
    one_line(&format!("{name}{colon}{type_name}  {doc}"))
}

/// Documentation as one line: where its lines end says nothing.
fn one_line(text: &str) -> String {
    render::visible(text.lines().map(str::trim_end).collect::<Vec<_>>().join(" ").trim_end())
}

/// The first sentence of a documentation, for a table.
fn summary(text: &str) -> String {
    let first = one_line(text.split("\n\n").next().unwrap_or_default());
    match first.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => first,
    }
}

/// Documentation below a name: line by line, as it was written.
fn write_indented(text: &str, out: &mut dyn Write) -> io::Result<()> {
    for line in text.lines() {
        let line = render::visible(line);
        writeln!(out, "{}", if line.is_empty() { line } else { format!("  {line}") })?;
    }
    Ok(())
}

const BOLD: anstyle::Style = anstyle::Style::new().bold();

/// One module, or one of its methods.
struct ModuleDoc {
    module: ModuleName,
    description: String,
    methods: Vec<(String, Described)>,
    host: HostName,
}

impl ModuleDoc {
    /// Types that were told of above are not told again.
    fn write_method(
        &self,
        name: &str,
        method: &Described,
        told: &mut BTreeSet<String>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let words: Vec<String> = method
            .parameters
            .iter()
            .map(|parameter| {
                let word = parameter.name.to_uppercase();
                if parameter.optional { format!("[{word}]") } else { word }
            })
            .collect();
        let line = [vec![format!("{BOLD}{}.{name}{BOLD:#}", self.module)], words].concat().join(" ");
        writeln!(out, "{line}")?;
        write_indented(&method.description, out)?;
        for parameter in &method.parameters {
            let kind = if parameter.wit.is_empty() { &parameter.kind } else { &parameter.wit };
            let kind = named(kind, &method.types);
            let mut about = one_line(&parameter.description);
            if !parameter.options.is_empty() {
                about = format!("{about} (one of {})", parameter.options.join(", "));
            }
            writeln!(out, "    {}: {}  {}", parameter.name.to_uppercase(), render::visible(&kind), about.trim())?;
        }
        if !method.returns.is_empty() {
            writeln!(out, "    answers {}", render::visible(&named(&method.returns, &method.types)))?;
        }
        for docs in method.types.iter().filter(|docs| told.insert(docs.name.clone())) {
            writeln!(out, "    {} {}", render::visible(&docs.kind), about(&docs.name, "", &docs.doc))?;
            for part in &docs.parts {
                writeln!(out, "      {}", about(&part.name, &part.type_name, &part.doc))?;
            }
        }
        Ok(())
    }
}

impl Report for ModuleDoc {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.description.is_empty() {
            writeln!(out, "{BOLD}{}{BOLD:#}", self.module)?;
            write_indented(&self.description, out)?;
            writeln!(out)?;
        }
        let mut told = BTreeSet::new();
        for (index, (name, method)) in self.methods.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            self.write_method(name, method, &mut told, out)?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let methods: serde_json::Map<String, serde_json::Value> = self
            .methods
            .iter()
            .map(|(name, method)| {
                let parameters: Vec<_> = method
                    .parameters
                    .iter()
                    .map(|p| {
                        json!({
                            "name": p.name, "type": p.kind, "wit": p.wit, "optional": p.optional,
                            "options": p.options, "description": p.description,
                        })
                    })
                    .collect();
                let data = json!({
                    "description": method.description, "parameters": parameters, "returns": method.returns,
                    "types": method.types,
                });
                (name.clone(), data)
            })
            .collect();
        json!({ "module": self.module, "description": self.description, "host": self.host, "methods": methods })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence_and_one_line() {
        assert_eq!(summary("Lists bridges. They are read\nfrom /sys."), "Lists bridges.");
        assert_eq!(summary("Lists what the\nkernel knows\n\nMore. Still more."), "Lists what the kernel knows");
        assert_eq!(summary(""), "");
        assert_eq!(summary("a\u{1b}[31m"), "a\\u{1b}[31m");
    }
}
