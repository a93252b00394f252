//! The languages that a module can be begun in, each with the files of a first module.

use std::str::FromStr;

/// A language to begin a module in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Rust, with the SDK.
    #[default]
    Rust,
    /// Python, of which componentize-py makes components.
    Python,
    /// JavaScript, of which componentize-qjs makes components.
    JavaScript,
}

/// A file of a new project. In its path and its text, words in `{{…}}` stand for what the author chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
}

impl Language {
    /// All of them, by the names that people call them.
    pub const NAMES: [(&'static str, Self); 3] =
        [("rust", Self::Rust), ("python", Self::Python), ("js", Self::JavaScript)];

    /// The files of a first module.
    pub(super) fn templates(self) -> &'static [Template] {
        match self {
            Self::Rust => &RUST,
            Self::Python => &PYTHON,
            Self::JavaScript => &JAVASCRIPT,
        }
    }
}

const RUST: [Template; 5] = [
    Template { path: "Cargo.toml", text: include_str!("templates/rust/cargo.toml") },
    Template { path: "README.md", text: include_str!("templates/rust/readme.md") },
    Template { path: ".gitignore", text: include_str!("templates/rust/gitignore") },
    Template { path: "src/lib.rs", text: include_str!("templates/rust/lib.rs") },
    Template { path: "wit/{{name}}.wit", text: include_str!("templates/rust/module.wit") },
];

const PYTHON: [Template; 7] = [
    Template { path: "module.toml", text: include_str!("templates/python/module.toml") },
    Template { path: "README.md", text: include_str!("templates/python/readme.md") },
    Template { path: ".gitignore", text: include_str!("templates/python/gitignore") },
    Template { path: "app.py", text: include_str!("templates/python/app.py") },
    Template { path: "greeting.py", text: include_str!("templates/python/greeting.py") },
    Template { path: "test_greeting.py", text: include_str!("templates/python/test_greeting.py") },
    Template { path: "wit/{{name}}.wit", text: include_str!("templates/module.wit") },
];

const JAVASCRIPT: [Template; 8] = [
    Template { path: "module.toml", text: include_str!("templates/js/module.toml") },
    Template { path: "package.json", text: include_str!("templates/js/package.json") },
    Template { path: "README.md", text: include_str!("templates/js/readme.md") },
    Template { path: ".gitignore", text: include_str!("templates/js/gitignore") },
    Template { path: "app.js", text: include_str!("templates/js/app.js") },
    Template { path: "greeting.js", text: include_str!("templates/js/greeting.js") },
    Template { path: "greeting.test.js", text: include_str!("templates/js/greeting.test.js") },
    Template { path: "wit/{{name}}.wit", text: include_str!("templates/module.wit") },
];

/// A language that there are no templates for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to begin a module with in that language; there is for: {}", Language::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, language)| language).ok_or(UnknownLanguage)
    }
}
