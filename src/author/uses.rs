//! What a component's imports prove that it may do: they cannot be hidden, whatever its manifest says.

use serde::Serialize;

use crate::plugin::{Import, Right};

/// Something that a component's imports let it do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    /// What, in words that follow "it".
    pub what: &'static str,
    /// What the operator must grant for it; none for what needs no grant, and for what nobody can grant.
    pub right: Option<Right>,
    /// The functions that prove it, as `interface#function`.
    pub by: Vec<String>,
}

/// Interfaces and functions of them (none: all of them), what they let a module do, and what must be granted for it.
struct Rule(&'static str, &'static [&'static str], &'static str, Option<Right>);

const RULES: [Rule; 12] = [
    Rule(
        "minion:host/files",
        &["read", "read-text", "read-part", "list-dir", "stat", "stat-link", "exists", "read-link"],
        "reads files",
        Some(Right::Read),
    ),
    Rule("minion:host/files", &["write", "create", "append", "remove", "make-dir"], "writes files", Some(Right::Write)),
    Rule("minion:host/command", &["run"], "runs programs", Some(Right::Run)),
    Rule("minion:host/services", &["list", "status"], "looks at services", Some(Right::ServicesRead)),
    Rule("minion:host/services", &["change"], "changes services", Some(Right::Services)),
    Rule("minion:host/processes", &[], "signals processes", Some(Right::Signal)),
    Rule("minion:host/network", &[], "reaches other hosts", Some(Right::Network)),
    Rule("minion:host/config", &[], "reads the settings that the operator gives it", None),
    Rule("minion:host/values", &[], "takes or answers data of any shape", None),
    Rule("wasi:filesystem/", &[], "asks WASI for files, which the host denies", None),
    Rule("wasi:sockets/", &[], "asks WASI for the network, which the host denies", None),
    Rule("wasi:http/", &[], "asks WASI for HTTP, which the host does not have", None),
];

/// What the imports prove.
pub(super) fn proven(imports: &[Import]) -> Vec<Use> {
    let of_rule = |Rule(interface, functions, what, right): &Rule| {
        let mut by = Vec::new();
        for import in imports.iter().filter(|import| names(interface, &import.interface)) {
            let counted =
                import.functions.iter().filter(|name| functions.is_empty() || functions.contains(&name.as_str()));
            by.extend(counted.map(|function| format!("{}#{function}", import.interface)));
        }
        (!by.is_empty()).then_some(Use { what, right: *right, by })
    };
    RULES.iter().filter_map(of_rule).collect()
}

/// Whether an import is of this interface, or of this package when the rule ends with `/`.
fn names(rule: &str, import: &str) -> bool {
    let unversioned = import.split('@').next().unwrap_or(import);
    if rule.ends_with('/') { unversioned.starts_with(rule) } else { unversioned == rule }
}

#[cfg(test)]
mod tests {
    use wit_parser::Resolve;

    use super::*;

    fn import(interface: &str, functions: &[&str]) -> Import {
        Import { interface: interface.to_owned(), functions: functions.iter().map(|f| (*f).to_owned()).collect() }
    }

    #[test]
    fn only_what_is_imported_is_proven() {
        let imports = [
            import("minion:host/types@0.1.0", &[]),
            import("minion:host/command@0.1.0", &["find"]),
            import("minion:host/files@0.1.0", &["read-text", "space"]),
            import("wasi:sockets/tcp@0.2.3", &["[method]tcp-socket.start-connect"]),
        ];
        let found: Vec<_> = proven(&imports).into_iter().map(|found| (found.what, found.right, found.by)).collect();
        let by = |text: &str| vec![text.to_owned()];
        assert_eq!(
            found,
            [
                ("reads files", Some(Right::Read), by("minion:host/files@0.1.0#read-text")),
                (
                    "asks WASI for the network, which the host denies",
                    None,
                    by("wasi:sockets/tcp@0.2.3#[method]tcp-socket.start-connect")
                ),
            ]
        );
    }

    /// The WIT says of each function, or of its interface, which grant it needs.
    #[test]
    fn every_function_that_needs_a_grant_has_its_rule() {
        let mut resolve = Resolve::default();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
        let (package, _) = resolve.push_path(folder).unwrap();
        let mut counted = 0;
        for (name, id) in &resolve.packages[package].interfaces {
            let interface = &resolve.interfaces[*id];
            let whole = interface.docs.contents.clone().unwrap_or_default();
            for (function, declared) in &interface.functions {
                let docs = declared.docs.contents.clone().unwrap_or_default();
                for right in Right::ALL {
                    let word = format!("Grant: `{right}`");
                    let needs = docs.contains(&word) || (whole.contains(&word) && !docs.contains("Needs no grant"));
                    let known = proven(&[import(&format!("minion:host/{name}@0.1.0"), &[function])]);
                    let known = known.iter().any(|found| found.right == Some(right));
                    assert_eq!(known, needs, "{name}.{function}: {right}");
                    counted += usize::from(needs);
                }
            }
        }
        assert!(counted > 10, "{counted}");
    }
}
