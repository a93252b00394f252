//! What a caller, an operator or a minion would stumble over, found before they do.
//!
//! An **error** is what a minion refuses or nobody can call; a **warning** is what an author should have done; a **note** is
//! what an author should know.

mod asks;
mod documentation;

use std::collections::BTreeSet;

use serde::Serialize;

use super::{artifact::Artifact, uses::proven};
use crate::{
    minion::RESERVED_MODULES,
    plugin::{Cache, Engine, Error, Examined, Import, Method, Module, examine},
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// It works, and somebody will stumble over it.
    Warning,
    /// A minion refuses it, or nobody can call it.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a module, a method, a parameter, an ask or an import.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl Finding {
    fn new(
        severity: Severity,
        place: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { severity, place: place.into(), message: message.into(), advice: advice.into() }
    }

    fn error(place: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Error, place, message, advice)
    }

    fn warning(place: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Warning, place, message, advice)
    }
}

/// Compiling more than this takes a minion seconds; a module in Rust is a hundredth of it.
const LARGE: usize = 4 << 20;
/// More than this is a mistake in any language.
const HUGE: usize = 64 << 20;

/// Checks a component. The findings are in the order of the component's parts.
pub fn check(engine: &Engine, cache: Option<&Cache>, artifact: &Artifact) -> Vec<Finding> {
    let mut findings = size(artifact.bytes.len());
    match examine(engine, cache, &artifact.bytes) {
        Ok(examined) => {
            findings.extend(examined.misfit.as_ref().map(misfit).unwrap_or_default());
            findings.extend(names(&examined));
            findings.extend(documentation::check(&examined, &artifact.bytes));
            findings.extend(runtime(&examined.imports));
            findings.extend(asks::check(examined.metadata.manifest.as_ref(), &proven(&examined.imports)));
        }
        Err(error) => findings.push(Finding::error("component", error.chain(), "build it with `func module build`")),
    }
    findings
}

fn size(bytes: usize) -> Vec<Finding> {
    if bytes <= LARGE {
        return Vec::new();
    }
    let severity = if bytes <= HUGE { Severity::Note } else { Severity::Warning };
    let message = format!("it has {} MB, which each minion compiles once", bytes.div_ceil(1_000_000));
    vec![Finding::new(
        severity,
        "component",
        message,
        "leave out what it does not use, and build it optimised for size",
    )]
}

/// What the runtime of another language brings along without being asked.
fn runtime(imports: &[Import]) -> Option<Finding> {
    let packages: BTreeSet<&str> = imports
        .iter()
        .filter(|import| import.interface.starts_with("wasi:"))
        .filter_map(|import| import.interface.split('/').next())
        .collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    (!packages.is_empty()).then(|| {
        let message =
            format!("its runtime imports {}, and gets of it clocks, randomness and the log", packages.join(", "));
        let advice = "use the interfaces of `minion:host` for the machine: WASI's own are there and denied";
        Finding::new(Severity::Note, "imports", message, advice)
    })
}

/// Every import that this host does not have, each by itself.
fn misfit(error: &Error) -> Vec<Finding> {
    match error {
        Error::Imports { missing } => missing
            .iter()
            .map(|import| {
                let advice = "use what the host offers (its WIT is in `vendor/func-sdk/wit`), or a newer minion";
                Finding::error(import, "this host does not offer it", advice)
            })
            .collect(),
        other => {
            let advice = "build it against the WIT of this version: `func module sdk .`, then `func module build`";
            vec![Finding::error("component", other.chain(), advice)]
        }
    }
}

fn names(examined: &Examined) -> Vec<Finding> {
    let modules = match &examined.modules {
        Ok(modules) => modules,
        Err(Error::NoModule) => {
            let advice = "export an interface in the WIT's world: `export NAME;`";
            return vec![Finding::error("component", Error::NoModule.to_string(), advice)];
        }
        Err(error) => return vec![Finding::error("component", error.chain(), "rename the interface")],
    };
    modules.iter().flat_map(of_module).collect()
}

fn of_module(module: &Module) -> Vec<Finding> {
    let mut findings = Vec::new();
    if RESERVED_MODULES.contains(&module.name.as_str()) {
        let message = "the minion answers that name itself, so it refuses the module";
        findings.push(Finding::error(module.name.as_str(), message, "rename the interface"));
    }
    for (name, why) in &module.uncallable {
        let advice = "pass plain data (records, lists, texts, numbers), under a name of its own";
        findings.push(Finding::warning(
            format!("{}.{name}", module.name),
            format!("nobody can call it: {why}"),
            advice,
        ));
    }
    findings
        .extend(module.methods.iter().flat_map(|(name, method)| secrets(&format!("{}.{name}", module.name), method)));
    if module.methods.is_empty() {
        let advice = "add a function that takes and answers plain data";
        findings.push(Finding::error(module.name.as_str(), "it has no method that can be called", advice));
    }
    findings
}

/// Secrets that the host cannot keep, or that it keeps from those who asked for them.
fn secrets(place: &str, method: &Method) -> Vec<Finding> {
    let mut findings = Vec::new();
    if method.answers_secrets() {
        let message = "it answers a secret, of which every caller gets `[secret]`";
        let advice =
            "leave it out; what was given as a secret is known to the caller, and a new one belongs into a file";
        findings.push(Finding::warning(place, message, advice));
    }
    for param in method.open_secrets() {
        let message = "by its name it is a secret, and as a plain text it is written into logs and journals";
        let advice = "give it the type `secret`: `use minion:host/types@0.1.0.{secret};`";
        findings.push(Finding::warning(format!("{place}({param})"), message, advice));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that exports functions of an interface `t:p/NAME` without docs or manifest.
    fn found(text: &str) -> Vec<(Severity, String)> {
        let bytes = wat::parse_str(text).unwrap();
        let artifact = Artifact { path: "a.wasm".into(), bytes };
        let findings = check(&Engine::serving().unwrap(), None, &artifact);
        assert!(findings.iter().all(|finding| !finding.message.is_empty() && !finding.advice.is_empty()));
        findings.into_iter().map(|finding| (finding.severity, finding.place)).collect()
    }

    fn exporting(interface: &str, function: &str, types: &str) -> String {
        format!(
            r#"(component
                (core module $m (func (export "f") (param i32) (result i32) unreachable))
                (core instance $m (instantiate $m))
                {types}
                (func $f (param "x" u32) (result u32) (canon lift (core func $m "f")))
                (instance (export "t:p/{interface}") (export "{function}" (func $f))))"#
        )
    }

    #[test]
    fn secrets_that_nobody_keeps_are_told() {
        let taking = |name: &str, kind: &str| {
            let text = format!(
                r#"(component
                    (core module $m
                        (func (export "f") (param i32 i32) (result i32) unreachable)
                        (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable)
                        (memory (export "mem") 1))
                    (core instance $m (instantiate $m))
                    (type $s' (record (field "{kind}" string)))
                    (export $s "s" (type $s'))
                    (func $f (param "{name}" $s) (result $s)
                        (canon lift (core func $m "f") (memory (core memory $m "mem")) (realloc (core func $m "r"))))
                    (instance (export "t:p/keeper") (export "s" (type $s)) (export "f" (func $f))))"#
            );
            let places = found(&text).into_iter().filter(|(severity, _)| *severity == Severity::Warning);
            places.map(|(_, place)| place).collect::<Vec<_>>()
        };
        assert!(taking("x", "secret").contains(&"keeper.f".to_owned()), "it answers one");
        assert!(!taking("password", "secret").iter().any(|place| place.contains("(password.")));
        let named = taking("x", "root-password");
        assert!(named.contains(&"keeper.f(x.root_password)".to_owned()), "{named:?}");
    }

    #[test]
    fn reserved_names_and_functions_that_nobody_can_call_are_told() {
        let found = found(&exporting("jobs", "list-methods", ""));
        assert!(found.contains(&(Severity::Error, "jobs".to_owned())), "{found:?}");
        assert!(found.contains(&(Severity::Warning, "jobs.list_methods".to_owned())), "{found:?}");
    }

    #[test]
    fn every_missing_import_is_told() {
        let imports = r#"
            (import "acme:a/b@1.0.0" (instance (export "one" (func)) (export "two" (func))))
            (import "minion:host/job@0.1.0" (instance (export "id" (func (result string))) (export "no" (func))))"#;
        let mut found =
            found(&exporting("disk", "usage", "").replacen("(component", &format!("(component {imports}"), 1));
        found.retain(|(severity, _)| *severity == Severity::Error);
        let places: Vec<&str> = found.iter().map(|(_, place)| place.as_str()).collect();
        assert_eq!(places, ["acme:a/b@1.0.0#one", "acme:a/b@1.0.0#two", "minion:host/job@0.1.0#no"]);
    }

    #[test]
    fn what_is_no_component_is_one_error() {
        let artifact = Artifact { path: "a.wasm".into(), bytes: b"#!/bin/sh".to_vec() };
        let findings = check(&Engine::serving().unwrap(), None, &artifact);
        assert!(matches!(&findings[..], [only] if only.severity == Severity::Error), "{findings:?}");
        assert_eq!(found("(component)")[0], (Severity::Error, "component".to_owned()));
    }

    #[test]
    fn what_a_runtime_imports_is_a_note() {
        let import = |name: &str| Import { interface: name.to_owned(), functions: Vec::new() };
        assert_eq!(runtime(&[import("minion:host/job@0.1.0")]), None);
        let imports = ["wasi:io/poll@0.2.6", "wasi:cli/exit@0.2.6", "wasi:io/error@0.2.6"].map(import);
        let note = runtime(&imports).unwrap();
        assert_eq!(note.severity, Severity::Note);
        assert!(note.message.contains("imports wasi:cli, wasi:io, and"), "{}", note.message);
    }

    #[test]
    fn a_large_file_is_a_note_and_a_huge_one_a_warning() {
        assert!(size(LARGE).is_empty());
        assert_eq!(size(LARGE + 1)[0].severity, Severity::Note);
        assert_eq!(size(HUGE + 1)[0].severity, Severity::Warning);
    }
}
