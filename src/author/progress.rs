//! What a build tells while it goes on.

use std::{fmt, path::PathBuf};

/// Is told the steps of a build.
pub trait Progress: Sync {
    /// A step begins.
    fn step(&self, step: &Step);

    /// Cargo or the compiler says something while it works.
    fn compiler(&self, line: &str) {
        let _ = line;
    }

    /// Whether somebody has read what went to [`Progress::compiler`]: an error need not repeat it then.
    fn is_read(&self) -> bool {
        false
    }
}

/// Somebody who does not want to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn step(&self, _: &Step) {}
}

/// A step of a build, as one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The project was found above the folder that was named.
    Project {
        /// The project's folder.
        path: PathBuf,
    },
    /// Another process builds into the same folder; this one waits.
    Waiting {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing changed since the last build.
    Unchanged {
        /// Where the modules lie.
        path: PathBuf,
    },
    /// `rustup target add` runs.
    AddTarget,
    /// A private toolchain is being assembled.
    Assemble {
        /// What it is doing.
        what: String,
    },
    /// A toolchain was chosen.
    Toolchain {
        /// Its version, such as `rustc 1.85.0`.
        version: String,
        /// Its folder.
        path: PathBuf,
    },
    /// Cargo compiles.
    Compile {
        /// The crates.
        modules: Vec<String>,
    },
    /// A module is finished.
    Finished {
        /// Its file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project { path } => write!(f, "taking the project in {}", path.display()),
            Self::Waiting { path } => write!(f, "waiting for another build into {}", path.display()),
            Self::Unchanged { path } => write!(f, "the modules in {} are up to date", path.display()),
            Self::AddTarget => write!(f, "adding the WebAssembly target with rustup"),
            Self::Assemble { what } => write!(f, "making a toolchain for modules: {what}"),
            Self::Toolchain { version, path } => write!(f, "using {version} in {}", path.display()),
            Self::Compile { modules } => write!(f, "compiling {}", modules.join(", ")),
            Self::Finished { path, size } => write!(f, "wrote {} ({} kB)", path.display(), size.div_ceil(1000)),
        }
    }
}
