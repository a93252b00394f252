//! `func module test`: a module's cases, each with a recording in its host's place.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::load::{Bench, unusable};
use super::steps::Work;
use crate::author::{Artifact, Case, CaseReport, case_files, project_folder};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::cli::report::Report;
use crate::plugin::Plugin;

/// Run a module's cases: calls that a recording answers in the host's place
///
/// The cases are the TOML files in the folder `cases` beside the module's Cargo.toml. `func module run --record` writes
/// one. Nothing of this machine is touched.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The module's folder, or one that holds several
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Test this component in place of what the folder builds
    #[arg(long, value_name = "FILE.WASM")]
    component: Vec<PathBuf>,
    /// Run only the cases whose name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Test {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let began = Instant::now();
        let folder = self.project()?;
        let files = case_files(&folder)?;
        if files.is_empty() {
            let why = format!("`{}` has no cases", folder.display());
            return Err(Failure::new(Exit::Usage, why)
                .hint("write one with `func module run --record cases/NAME.toml …` in the module's folder"));
        }
        let plugins = self.plugins(context)?;
        let mut cases = Vec::new();
        for file in files {
            let name = name(&file);
            if self.only.as_ref().is_some_and(|only| !name.contains(only)) {
                continue;
            }
            let case = Case::load(&file)?;
            let has = |plugin: &&Plugin| plugin.module(&case.method).is_some();
            let Some(plugin) = plugins.iter().find(has) else {
                let why = format!("no component here has the module of `{}`, which `{name}` calls", case.method);
                return Err(Failure::new(Exit::Usage, why));
            };
            cases.push(Context::block_on(async { Ok(case.run(name, plugin).await) })?);
        }
        Ok(Box::new(Tested { cases, seconds: began.elapsed().as_secs_f64() }))
    }

    /// The folder with the cases: what is named, if it has some, or the project that it belongs to.
    fn project(&self) -> Result<PathBuf, Failure> {
        let named = case_files(&self.folder).is_ok_and(|files| !files.is_empty());
        if named || !self.component.is_empty() {
            return Ok(self.folder.clone());
        }
        Ok(project_folder(&self.folder, &Work)?)
    }

    fn plugins(&self, context: &Context) -> Result<Vec<Plugin>, Failure> {
        let bench = Bench::open(context)?;
        let paths = if self.component.is_empty() { std::slice::from_ref(&self.folder) } else { &self.component[..] };
        let mut plugins = Vec::new();
        for path in paths {
            for artifact in Artifact::of(path, &Work)? {
                plugins.push(bench.plugin(&artifact).map_err(unusable)?);
            }
        }
        Ok(plugins)
    }
}

/// The module's folder and the case: `disk/usage`.
fn name(file: &std::path::Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.canonicalize().ok().and_then(|file| Some(file.parent()?.parent()?.file_name()?.to_owned()));
    match folder {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

struct Tested {
    cases: Vec<CaseReport>,
    seconds: f64,
}

impl Tested {
    fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }
}

impl Report for Tested {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let green = (anstyle::AnsiColor::Green.on_default()).bold();
        let red = (anstyle::AnsiColor::Red.on_default()).bold();
        for case in &self.cases {
            let (style, word) = if case.passed { (green, "PASS") } else { (red, "FAIL") };
            writeln!(out, "    {style}{word}{style:#} [{:>8.3}s] {}", case.seconds, render::visible(&case.name))?;
            if let Some(difference) = &case.difference {
                write_difference(&difference.expected, &difference.actual, out)?;
            }
            for problem in &case.problems {
                writeln!(out, "         {}", render::visible(problem))?;
            }
            for call in &case.unused {
                writeln!(out, "         recorded, not asked for: {}", render::visible(call))?;
            }
        }
        let (total, failed) = (self.cases.len(), self.failed());
        let style = if failed == 0 { green } else { red };
        let noun = if total == 1 { "case" } else { "cases" };
        let passed = total - failed;
        let failures = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        writeln!(out, " {style}Summary{style:#} [{:>8.3}s] {total} {noun} run: {passed} passed{failures}", self.seconds)
    }

    fn json(&self) -> serde_json::Value {
        let (total, failed) = (self.cases.len(), self.failed());
        json!({ "cases": self.cases, "passed": total - failed, "failed": failed, "seconds": self.seconds })
    }

    fn exit(&self) -> Exit {
        if self.failed() == 0 { Exit::Ok } else { Exit::SomeFailed }
    }
}

/// Lines that only one of the two has are marked.
fn write_difference(expected: &str, actual: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "         --- expected\n         +++ actual")?;
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let marked = |sign: char, lines: &[&str]| lines.iter().map(|line| format!("{sign}{line}")).collect::<Vec<_>>();
    let parts = [
        marked(' ', &old[..same]),
        marked('-', &old[same..old.len() - tail]),
        marked('+', &new[same..new.len() - tail]),
        marked(' ', &old[old.len() - tail..]),
    ];
    parts.concat().iter().try_for_each(|line| writeln!(out, "         {}", render::visible(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::Difference;

    #[test]
    fn what_failed_is_shown_line_by_line() {
        let case = |name: &str, passed| CaseReport {
            name: name.to_owned(),
            passed,
            seconds: 0.01,
            difference: None,
            problems: Vec::new(),
            unused: Vec::new(),
        };
        let difference = Some(Difference { expected: "a = 1\nb = 2\n".into(), actual: "a = 1\nb = 3\n".into() });
        let problems = vec!["it asked what was not recorded: files.read(path = \"/b\")".to_owned()];
        let wrong = CaseReport { difference, problems, unused: vec!["clock.now()".to_owned()], ..case("a/two", false) };
        let tested = Tested { cases: vec![case("a/one", true), wrong], seconds: 0.1 };
        let mut text = Vec::new();
        tested.text(&mut anstream::StripStream::new(&mut text)).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
            PASS [   0.010s] a/one
            FAIL [   0.010s] a/two
                 --- expected
                 +++ actual
                  a = 1
                 -b = 2
                 +b = 3
                 it asked what was not recorded: files.read(path = "/b")
                 recorded, not asked for: clock.now()
         Summary [   0.100s] 2 cases run: 1 passed, 1 failed
        "#);
        assert_eq!((tested.exit(), tested.json()["failed"].as_u64()), (Exit::SomeFailed, Some(1)));
    }
}
