//! What can go wrong between a crate and a component.

use std::{io, path::PathBuf};

/// An error of the author tools.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program could not be started.
    #[error("cannot run `{program}`")]
    Run {
        /// Its name or path.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program did not do what it was asked.
    #[error("`{command}` failed:\n{output}")]
    Failed {
        /// The program and what it was to do.
        command: String,
        /// What it said, whole.
        output: String,
    },
    /// Cargo says something that this version does not understand.
    #[error("cannot understand what `cargo {command}` says")]
    Cargo {
        /// The subcommand.
        command: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// No toolchain can compile modules, and none can be had.
    #[error("no Rust toolchain here can compile modules, and none can be had:\n  {}", tried.join("\n  "))]
    NoToolchain {
        /// What was tried, each with what came of it.
        tried: Vec<String>,
    },
    /// The toolchain that was asked for cannot compile modules.
    #[error("the toolchain `{}` cannot compile modules: {why}", path.display())]
    UnfitToolchain {
        /// Its folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A case or a recording makes no sense.
    #[error("cannot use the case `{}`", path.display())]
    Case {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<toml::de::Error>,
    },
    /// The folder has no crates that make modules.
    #[error("`{}` has no crate that makes a module: its Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`", path.display())]
    NoModules {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has neither of the files that make a project of it.
    #[error("neither `{}` nor a folder above it has a Cargo.toml or a module.toml{}", path.display(), there_is(below))]
    NoProject {
        /// The folder.
        path: PathBuf,
        /// Folders in it that are projects.
        below: Vec<PathBuf>,
    },
    /// The project's module.toml says that it is in Rust.
    #[error("`{}` is a module in Rust without a Cargo.toml", path.display())]
    NoCargoToml {
        /// The folder.
        path: PathBuf,
    },
    /// The project's module.toml cannot be used.
    #[error("`{}` cannot be used", path.display())]
    ModuleToml {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, and where.
        source: Box<toml::de::Error>,
    },
    /// The project lacks the file that its code begins with.
    #[error("there is no `{}`, with which a module in {language} begins", path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// The language.
        language: &'static str,
    },
    /// The program that makes components of a language is not installed.
    #[error("`{program}`, which makes components of {language}, is neither in `{}` nor on the PATH", project.join(own).display())]
    NoComponentizer {
        /// The program.
        program: &'static str,
        /// The language.
        language: &'static str,
        /// The project's folder.
        project: PathBuf,
        /// Where in it the program would be.
        own: &'static str,
        /// What installs it there.
        install: &'static str,
    },
    /// The crate's Cargo.toml asks for something that nobody can grant.
    #[error("`[package.metadata.func]` in `{}` cannot be used", path.display())]
    Manifest {
        /// The crate's Cargo.toml.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// The compiler refused the crate.
    #[error("`{}` does not compile{}{output}", path.display(), if output.is_empty() { "" } else { ":\n" })]
    Compile {
        /// The folder.
        path: PathBuf,
        /// What cargo and the compiler said, whole; nothing if it has been read while they worked.
        output: String,
    },
    /// The compiler made something else than a component.
    #[error("`{module}` is no component")]
    NotAComponent {
        /// The crate.
        module: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The crate's WIT cannot be read.
    #[error("cannot read the WIT in `{}`", path.display())]
    Wit {
        /// The folder.
        path: PathBuf,
        /// Why: file, line and what is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The component does not do what its WIT says.
    #[error("`{module}` and its WIT disagree: {what}")]
    Disagree {
        /// The crate.
        module: String,
        /// On what.
        what: String,
    },
    /// The sources of the shipped modules are not where they were when this program was built.
    #[error("the sources of the shipped modules are not in `{}`", path.display())]
    NoSources {
        /// The folder where they were.
        path: PathBuf,
    },
    /// The project has no copy of the SDK.
    #[error("there is no SDK in `{}`", path.display())]
    NoSdk {
        /// Where it would be.
        path: PathBuf,
    },
    /// There is something where a new project was to go.
    #[error("`{}` is there already", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has been building into the same folder for very long.
    #[error("another process is still building into `{}`", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The key to sign with can be read by others.
    #[error("the key `{}` can be read by others (mode {mode:03o})", path.display())]
    OpenKey {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is no key, or one with a passphrase.
    #[error("`{}` is no key without a passphrase in minisign's format", path.display())]
    SigningKey {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried: `read`, `write`, ….
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where a project is instead.
fn there_is(below: &[PathBuf]) -> String {
    let names: Vec<String> = below.iter().take(5).map(|path| format!("`{}`", path.display())).collect();
    if names.is_empty() { String::new() } else { format!("; there is one in {}", names.join(", ")) }
}

impl Error {
    /// What to do about it: an imperative sentence without a full stop.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoToolchain { .. } => {
                Some("install Rust from rustup.rs, then `rustup target add wasm32-unknown-unknown`")
            }
            Self::Run { .. } => Some("install Rust from rustup.rs"),
            Self::NoProject { .. } => Some("go into a module's folder, or name it; `func module new NAME` begins one"),
            Self::ModuleToml { .. } => {
                Some("compare it with that of a new module: `func module new NAME --lang python`")
            }
            Self::NoCargoToml { .. } => Some("Cargo.toml takes the place of module.toml there"),
            Self::NoEntry { .. } => Some("put what the WIT's world exports there"),
            Self::NoComponentizer { install, .. } => Some(install),
            Self::NoModules { .. } => Some("run it in a module's folder, or in a workspace of modules"),
            Self::Disagree { .. } => Some("export the interface in the WIT's world, and build again"),
            Self::NoSources { .. } => Some("check out Func's sources again, or name their folder"),
            Self::NoSdk { .. } => Some("name the folder of a module that `func module new` made"),
            Self::Exists { .. } => Some("choose another name, or another folder with --path"),
            Self::Busy { .. } => Some("wait for it, or end it"),
            Self::OpenKey { .. } => Some("take it away from them with `chmod 600`; consider making a new one"),
            Self::SigningKey { .. } => Some(
                "a key with a passphrase signs with `minisign -S -s KEY -m FILE`; a new one is made where there is none",
            ),
            _ => None,
        }
    }

    /// Wraps an error of a file.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
