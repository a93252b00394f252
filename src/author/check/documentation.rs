//! Whether a component says what its modules, methods and parameters are, and says it of what it really has.

use super::Finding;
use crate::{
    author::wit_package::WitPackage,
    plugin::{DOCS_SECTION, Examined, FunctionDocs, InterfaceDocs, Method, Module},
};

const BUILD: &str = "build it with `func module build`, which packs the documentation in";

pub(super) fn check(examined: &Examined, component: &[u8]) -> Vec<Finding> {
    let Ok(modules) = &examined.modules else { return Vec::new() };
    if modules.is_empty() {
        return Vec::new();
    }
    let Some(section) = &examined.metadata.docs_section else {
        return vec![Finding::warning(
            "component",
            format!("it has no section `{DOCS_SECTION}`, so no documentation"),
            BUILD,
        )];
    };
    let name = examined.metadata.name.clone().unwrap_or_default();
    let mut findings = Vec::new();
    match WitPackage::decode(section).map(|package| package.check(&name, component)) {
        Err(_) => findings.push(Finding::warning("component", "its documentation cannot be read", BUILD)),
        Ok(Err(error)) => findings.push(Finding::error("component", error.to_string(), BUILD)),
        Ok(Ok(())) => {}
    }
    for module in modules {
        let docs = examined.metadata.docs.interface(module.full_name.as_str());
        findings.extend(of_module(module, docs));
    }
    findings
}

fn of_module(module: &Module, docs: Option<&InterfaceDocs>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if docs.is_none_or(|docs| docs.text.is_empty()) {
        let advice = format!("write a `///` comment before `interface {}` in the WIT", module.name);
        findings.push(Finding::warning(module.name.as_str(), "nothing says what the module is for", advice));
    }
    for (name, method) in &module.methods {
        let in_wit = name.replace('_', "-");
        let docs = docs.and_then(|docs| docs.functions.get(&in_wit));
        findings.extend(of_method(&format!("{}.{name}", module.name), &in_wit, method, docs));
    }
    findings
}

fn of_method(place: &str, in_wit: &str, method: &Method, docs: Option<&FunctionDocs>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if method.doc.is_empty() {
        let advice = format!("write a `///` comment before `{in_wit}: func` in the WIT");
        findings.push(Finding::warning(place, "nothing says what the method does", advice));
    }
    for param in method.params.iter().filter(|param| param.doc.is_empty()) {
        let wit_name = param.name.replace('_', "-");
        let advice = format!("add a line to the comment of `{in_wit}` in the WIT: - `{wit_name}`: what it means.");
        findings.push(Finding::warning(format!("{place}({})", param.name), "nothing says what it means", advice));
    }
    for name in docs.into_iter().flat_map(|docs| docs.params.keys()) {
        let wire = name.replace('-', "_");
        if method.params.iter().all(|param| param.name != wire) {
            let message = format!("the comment describes `{name}`, which the method does not take");
            findings.push(Finding::warning(
                place,
                message,
                format!("name a parameter of `{in_wit}`, or remove the line"),
            ));
        }
    }
    findings
}
