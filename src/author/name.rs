//! Names that a new module can have.
//!
//! One name serves as the crate, the interface, the module on the wire, a path in Rust and a file, so it must be good as
//! each of them.

use std::str::FromStr;

use wit_parser::Resolve;

use crate::minion::RESERVED_MODULES;

/// The name of a new module, or of the namespace of its WIT package: words of small letters and digits, joined by `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectName(String);

/// A name that a new module cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be the name of a module: {why}")]
pub struct InvalidName {
    name: String,
    why: &'static str,
}

/// Words that Rust keeps for itself.
const RUST: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "union",
];

/// Crates that every project has already.
const CRATES: [&str; 7] = ["alloc", "core", "func-sdk", "func-sdk-macros", "proc-macro", "std", "wit-bindgen"];

/// Namespaces of WIT packages that others own.
const NAMESPACES: [&str; 2] = ["minion", "wasi"];

impl ProjectName {
    /// The name as it is written everywhere but in Rust.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a value in JavaScript: `webServer`.
    pub fn in_js(&self) -> String {
        let mut words = self.0.split('-');
        words.next().map(str::to_owned).into_iter().chain(words.map(capitalised)).collect()
    }

    /// The name as a class: `WebServer`.
    pub fn as_a_class(&self) -> String {
        self.0.split('-').map(capitalised).collect()
    }

    /// The name as a part of a path in Rust.
    pub fn in_rust(&self) -> String {
        self.0.replace('-', "_")
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_ascii_uppercase() + rest
}

impl FromStr for ProjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |why| Err(InvalidName { name: text.escape_debug().to_string(), why });
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() > 60 || !text.split('-').all(word) {
            return refuse("write it as words of small letters and digits, joined by `-`: `disk`, `web-server`");
        }
        if RESERVED_MODULES.contains(&text) {
            return refuse("the minion answers that name itself");
        }
        if RUST.contains(&text) {
            return refuse("it is a word of Rust");
        }
        if CRATES.contains(&text) {
            return refuse("it is a crate that every module's project has already");
        }
        if NAMESPACES.contains(&text) {
            return refuse("it is a namespace of the host's own interfaces");
        }
        let wit = format!("package {text}:{text}; interface {text} {{}}");
        if Resolve::default().push_source("name.wit", &wit).is_err() {
            return refuse("it is a word of WIT");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_good_everywhere_is_taken() {
        for name in ["hello", "web-server", "x2", "guest", "module", "error", "exports"] {
            assert_eq!(name.parse::<ProjectName>().unwrap().as_str(), name);
        }
        let name = "web-server".parse::<ProjectName>().unwrap();
        assert_eq!(
            (name.in_rust(), name.in_js(), name.as_a_class()),
            ("web_server".into(), "webServer".into(), "WebServer".into())
        );
    }

    #[test]
    fn a_name_that_is_bad_anywhere_is_refused_with_the_reason() {
        for (name, why) in [
            ("", "words"),
            ("Hello", "words"),
            ("hello_world", "words"),
            ("-x", "words"),
            ("2x", "words"),
            ("a--b", "words"),
            ("../x", "words"),
            ("a/b", "words"),
            ("system", "the minion answers"),
            ("jobs", "the minion answers"),
            ("func", "a word of WIT"),
            ("interface", "a word of WIT"),
            ("stream", "a word of WIT"),
            ("crate", "a word of Rust"),
            ("match", "a word of Rust"),
            ("func-sdk", "a crate"),
            ("minion", "a namespace"),
        ] {
            let refused = name.parse::<ProjectName>().unwrap_err().to_string();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        assert!("x".repeat(61).parse::<ProjectName>().is_err());
    }
}
