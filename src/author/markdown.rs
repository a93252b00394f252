//! A component's documentation as Markdown, from the component alone.

use std::{collections::BTreeSet, fmt::Write as _};

use super::inspect::{Inspection, MethodSheet, ModuleSheet};
use crate::plugin::{TypeDocs, named};

impl Inspection {
    /// The documentation of the component: its modules with their methods, and what it asks for.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for module in &self.modules {
            module.write(&mut text);
        }
        self.write_asks(&mut text);
        let about = [
            self.name.as_ref().map(|name| format!("component {name}")),
            self.version.clone(),
            self.licence.clone(),
            Some(format!("sha256 {}", self.digest)),
        ];
        let about: Vec<String> = about.into_iter().flatten().collect();
        let _ = writeln!(text, "---\n\n{}", about.join(", "));
        text
    }

    fn write_asks(&self, text: &mut String) {
        let table = self.asks.to_toml();
        if let (Some(module), false) = (self.modules.first(), table.is_empty()) {
            let _ = writeln!(text, "## What it asks for\n");
            let _ = writeln!(text, "In the minion's configuration:\n");
            let _ = writeln!(text, "```toml\n[grants.{}]\n{}\n```\n", module.name, table.join("\n"));
        }
        for right in &self.operator_chooses {
            let _ =
                writeln!(text, "What it may touch by `{right}`, only the operator can say, in its table of grants.\n");
        }
    }
}

impl ModuleSheet {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "# {}\n", self.name);
        if !self.description.is_empty() {
            let _ = writeln!(text, "{}\n", self.description);
        }
        let mut told = BTreeSet::new();
        for method in &self.methods {
            method.write(&self.name, &mut told, text);
        }
        if !self.uncallable.is_empty() {
            let _ = writeln!(text, "## Not callable\n");
            for (name, why) in &self.uncallable {
                let _ = writeln!(text, "- `{name}`: {why}");
            }
            text.push('\n');
        }
    }
}

impl MethodSheet {
    /// Types that were told of above are not told again.
    fn write<'a>(&'a self, module: &str, told: &mut BTreeSet<&'a str>, text: &mut String) {
        let _ = writeln!(text, "## {module}.{}\n\n```wit\n{}\n```\n", self.name, named(&self.signature, &self.types));
        if !self.doc.is_empty() {
            let _ = writeln!(text, "{}\n", self.doc);
        }
        if !self.parameters.is_empty() {
            let _ = writeln!(text, "| argument | type | |\n| --- | --- | --- |");
            for parameter in &self.parameters {
                let optional = if parameter.optional { "may be left out; " } else { "" };
                let about = format!("{optional}{}", parameter.doc).replace('|', "\\|").replace('\n', " ");
                let kind = named(&parameter.type_name, &self.types).replace('|', "\\|");
                let _ = writeln!(text, "| `{}` | `{kind}` | {about} |", parameter.name);
            }
            text.push('\n');
        }
        if let Some(returns) = &self.returns {
            let _ = writeln!(text, "Answers `{}`.\n", named(returns, &self.types));
        }
        for docs in self.types.iter().filter(|docs| told.insert(&docs.name)) {
            write_type(docs, text);
        }
    }
}

fn write_type(docs: &TypeDocs, text: &mut String) {
    let _ = writeln!(text, "{}\n", format!("The {} `{}`. {}", docs.kind, docs.name, docs.doc).trim_end());
    let _ = writeln!(text, "| name | type | |\n| --- | --- | --- |");
    for part in &docs.parts {
        let about = part.doc.replace('|', "\\|");
        let kind = if part.type_name.is_empty() { String::new() } else { format!("`{}`", part.type_name) };
        let _ = writeln!(text, "| `{}` | {kind} | {about} |", part.name);
    }
    text.push('\n');
}
