//! What a component's file says about itself beside its types: metadata and documentation.
//!
//! Nothing in here decides what a call does, so damage costs the texts and not the plugin.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{ComponentName, CustomSectionReader, KnownCustom, Parser, Payload};
use wit_parser::{Docs as WitDocs, Interface, Resolve, TypeDefKind};

use super::manifest::{MANIFEST_SECTION, Manifest};
use super::type_docs::TypeDocs;
use super::values::wire_name;
use super::wit_binary::decode_wit;

/// The custom section that holds the component's WIT package with its documentation, in the binary
/// form that `wit_component::encode` writes. (Doc comments do not survive into a component by
/// themselves.)
pub const DOCS_SECTION: &str = "wit-package";

/// What a component's file says about itself.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Its name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Under which licence it is.
    pub licence: Option<String>,
    /// What it asks for.
    pub manifest: Option<Manifest>,
    /// The documentation of its interfaces.
    pub docs: Docs,
    /// The section that the documentation was read from.
    pub docs_section: Option<Vec<u8>>,
}

impl Metadata {
    /// Reads what a component says about itself; what is missing or damaged is left out.
    pub fn read(component: &[u8]) -> Self {
        let mut found = Self::default();
        for section in custom_sections(component) {
            let text = || String::from_utf8(section.data().to_vec()).ok().filter(|text| !text.is_empty());
            match section.name() {
                VERSION_SECTION => found.version = text(),
                DESCRIPTION_SECTION => found.description = text(),
                LICENCE_SECTION => found.licence = text(),
                MANIFEST_SECTION => found.manifest = Manifest::read(section.data()),
                DOCS_SECTION => {
                    found.docs = Docs::read(section.data()).unwrap_or_default();
                    found.docs_section = Some(section.data().to_vec());
                }
                _ => {
                    if let KnownCustom::ComponentName(names) = section.as_known() {
                        found.name = names.into_iter().flatten().find_map(|name| match name {
                            ComponentName::Component { name, .. } => Some(name.to_owned()),
                            _ => None,
                        });
                    }
                }
            }
        }
        found
    }
}

/// The sections in which wasm-metadata keeps a component's version, description and licence.
const VERSION_SECTION: &str = "version";
const DESCRIPTION_SECTION: &str = "description";
const LICENCE_SECTION: &str = "licenses";

/// The custom sections of the component itself (not of what is nested in it), as far as it parses.
fn custom_sections(component: &[u8]) -> Vec<CustomSectionReader<'_>> {
    let mut depth = 0_u32;
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::CustomSection(section)) if depth == 1 => found.push(section),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// The documentation of interfaces, by their full names without versions.
#[derive(Debug, Clone, Default)]
pub struct Docs(BTreeMap<String, InterfaceDocs>);

/// The documentation of one interface.
#[derive(Debug, Clone, Default)]
pub struct InterfaceDocs {
    /// What it is for.
    pub text: String,
    /// Its functions, by their names in WIT.
    pub functions: BTreeMap<String, FunctionDocs>,
}

/// The documentation of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionDocs {
    /// What it does, without the lines about its parameters.
    pub text: String,
    /// What its parameters mean, by their names in WIT: from lines such as ``- `path`: the file.``
    pub params: BTreeMap<String, String>,
    /// Whether a line `@read-only` says that it changes nothing.
    pub read_only: bool,
    /// The types that it names.
    pub types: Vec<TypeDocs>,
}

/// The line that marks a method which only looks.
const READ_ONLY: &str = "@read-only";

impl Docs {
    /// Reads the contents of a [`DOCS_SECTION`].
    fn read(section: &[u8]) -> Option<Self> {
        let decoded = decode_wit(section).ok()?;
        let resolve = decoded.resolve();
        let named = resolve
            .interfaces
            .iter()
            .filter_map(|(_, interface)| Some((full_name(resolve, interface)?, InterfaceDocs::of(resolve, interface))));
        let mut docs = Self(named.collect());
        let names = kebab_names(resolve);
        docs.0.values_mut().for_each(|interface| interface.each_text(&|text| *text = on_the_wire(text, &names)));
        Some(docs)
    }

    /// The documentation of the interface `namespace:package/name`.
    pub fn interface(&self, full_name: &str) -> Option<&InterfaceDocs> {
        self.0.get(full_name)
    }
}

/// The names of functions and cases that are others on the wire.
fn kebab_names(resolve: &Resolve) -> BTreeSet<&str> {
    let functions = resolve.interfaces.iter().flat_map(|(_, interface)| interface.functions.keys().map(String::as_str));
    let cases = resolve.types.iter().flat_map(|(_, definition)| match &definition.kind {
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| case.name.as_str()).collect(),
        TypeDefKind::Variant(cases) => cases.cases.iter().map(|case| case.name.as_str()).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| flag.name.as_str()).collect(),
        _ => Vec::new(),
    });
    functions.chain(cases).filter(|name| name.contains('-')).collect()
}

/// A comment speaks of methods and errors as WIT writes them, `not-found`; whoever calls reads `not_found`.
fn on_the_wire(text: &str, names: &BTreeSet<&str>) -> String {
    let part = |(at, part): (usize, &str)| {
        if at % 2 == 1 && names.contains(part) { wire_name(part) } else { part.to_owned() }
    };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

fn full_name(resolve: &Resolve, interface: &Interface) -> Option<String> {
    let package = &resolve.packages[interface.package?].name;
    Some(format!("{}:{}/{}", package.namespace, package.name, interface.name.as_ref()?))
}

impl InterfaceDocs {
    fn of(resolve: &Resolve, interface: &Interface) -> Self {
        let functions = interface.functions.iter().map(|(name, function)| {
            let docs = FunctionDocs::of(&function.docs);
            (name.clone(), FunctionDocs { types: TypeDocs::of(resolve, function), ..docs })
        });
        Self { text: text(&interface.docs), functions: functions.collect() }
    }

    fn each_text(&mut self, change: &impl Fn(&mut String)) {
        change(&mut self.text);
        for function in self.functions.values_mut() {
            change(&mut function.text);
            function.params.values_mut().for_each(change);
            for docs in &mut function.types {
                change(&mut docs.doc);
                docs.parts.iter_mut().for_each(|part| change(&mut part.doc));
            }
        }
    }
}

impl FunctionDocs {
    fn of(docs: &WitDocs) -> Self {
        let mut found = Self::default();
        let mut current = None::<String>;
        for line in text(docs).lines() {
            if line.trim() == READ_ONLY {
                found.read_only = true;
            } else if let Some((name, about)) = parameter(line) {
                found.params.insert(name.to_owned(), about.to_owned());
                current = Some(name.to_owned());
            } else if let Some(about) =
                current.as_ref().filter(|_| line.starts_with("  ")).and_then(|name| found.params.get_mut(name))
            {
                about.push(' ');
                about.push_str(line.trim());
            } else {
                current = None;
                found.text.push_str(line);
                found.text.push('\n');
            }
        }
        found.text = found.text.trim().replace("\n\n\n", "\n\n");
        if found.read_only {
            found.text.push_str("\n\nIt changes nothing.");
        }
        found
    }
}

fn text(docs: &WitDocs) -> String {
    docs.contents.clone().unwrap_or_default().trim().to_owned()
}

/// The name and meaning in a line such as ``- `path`: the file.``
fn parameter(line: &str) -> Option<(&str, &str)> {
    let (name, about) = line.trim_end().strip_prefix("- `")?.split_once("`:")?;
    Some((name, about.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_only_looks_is_told_so_in_words() {
        let contents = "Lists.\n\n@read-only\n\nErrors: none.".to_owned();
        let docs = FunctionDocs::of(&WitDocs { contents: Some(contents) });
        assert!(docs.read_only);
        assert_eq!(docs.text, "Lists.\n\nErrors: none.\n\nIt changes nothing.");
    }

    #[test]
    fn lines_about_parameters_become_their_documentation() {
        let contents = "Adds numbers.\n\n- `first-one`: the first,\n  and more.\n- `b`: the second.\n\nErrors: none.";
        let docs = FunctionDocs::of(&WitDocs { contents: Some(contents.to_owned()) });
        assert_eq!(docs.text, "Adds numbers.\n\nErrors: none.");
        assert_eq!(docs.params["first-one"], "the first, and more.");
        assert_eq!(docs.params["b"], "the second.");
    }

    #[test]
    fn what_is_no_component_says_nothing() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\x07\xff\xff", b"junk"] {
            let found = Metadata::read(bytes);
            assert!(found.name.is_none() && found.docs.interface("a:b/c").is_none());
        }
    }

    #[test]
    fn only_the_sections_of_the_component_itself_count() {
        let inner = r#"(component (@custom "description" "of a part"))"#;
        let text = format!(r#"(component $disk (@custom "version" "1.2.3") {inner})"#);
        let found = Metadata::read(&wat::parse_str(&text).unwrap());
        assert_eq!(found.name.as_deref(), Some("disk"));
        assert_eq!(found.version.as_deref(), Some("1.2.3"));
        assert_eq!(found.description, None);
    }

    #[test]
    fn whatever_stands_in_the_section_for_documentation_harms_nobody() {
        let wit = "package acme:disk;\n/// About disks.\ninterface disk {\n  record usage { /// Bytes.\n used: u64, of: option<string> }\n  \
            variant kind { a-b, b(list<usage>) }\n  /// Tells `a-b`, not `c-d` or a-b.\n  ///\n  /// - `path`: where.\n  ///\n  /// @read-only\n  \
            tell: func(path: string, how: kind) -> result<usage, string>;\n}\nworld w { export disk; }\n";
        let mut resolve = Resolve::default();
        let package = resolve.push_str("disk.wit", wit).unwrap();
        let section = wit_component::encode(&resolve, package).unwrap();
        let tell = Docs::read(&section).unwrap().interface("acme:disk/disk").unwrap().functions["tell"].clone();
        assert!(tell.read_only && tell.text.starts_with("Tells `a_b`, not `c-d` or a-b."), "{tell:?}");
        let words =
            ["\u{0}asm", "package-docs", "acme:disk/disk", "{\"docs\":\"x\"}", "\u{7}", "\u{40}\u{1}", "@read-only"];
        crate::sys::fuzz::fuzz("wit_sections", &[&section], &words, |bytes| {
            let docs = Docs::read(bytes)?;
            let functions = docs.0.values().map(|interface| interface.functions.len()).sum::<usize>();
            Some((docs.0.len(), functions, docs.0.values().any(|interface| !interface.text.is_empty())))
        });
    }
}
