//! Why a plugin could not be loaded.

use std::{io, path::PathBuf};

use crate::{access::Untrusted, ids::InvalidId};

/// Why a plugin could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// wasmtime refused its configuration or a host function.
    #[error("cannot start the WebAssembly engine")]
    Engine {
        /// wasmtime's reason.
        source: Cause,
    },
    /// The thread that keeps time could not be started.
    #[error("cannot start the thread that keeps the modules' time")]
    Ticker {
        /// The system's reason.
        source: io::Error,
    },
    /// A worker was asked to compile.
    #[error("this process only loads modules that the daemon has compiled")]
    NeverCompiles,
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The cache of compiled code could not be used.
    #[error("cannot use the cache of compiled modules at `{}`", path.display())]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The name of a compiled file does not say which component it is.
    #[error("`{}` is not named `SHA256-COMPATIBILITY.cwasm`", path.display())]
    CompiledName {
        /// The file.
        path: PathBuf,
    },
    /// Compiled code does not load: of another version, another processor, or damaged.
    #[error("cannot load the compiled module `{}`", path.display())]
    LoadCompiled {
        /// The file.
        path: PathBuf,
        /// wasmtime's reason.
        source: Cause,
    },
    /// Nobody whom the operator trusts stands behind the file.
    #[error("`{}` is refused", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Untrusted,
    },
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is something else.
    #[error("the file is not WebAssembly: it does not begin with `\\0asm`")]
    NotWasm,
    /// The file is a core module.
    #[error(
        "the file is a core module, not a component; build it with `func module build`, or with a linker that writes components"
    )]
    CoreModule,
    /// The component is cut short or invalid.
    #[error("the component is damaged or cut short: {why}")]
    Damaged {
        /// What is wrong and where.
        why: String,
    },
    /// The component is valid but does not compile.
    #[error("the component does not compile")]
    Compile {
        /// wasmtime's reason.
        source: Cause,
    },
    /// The component needs what this host does not offer.
    #[error("the component imports what this host does not offer: {}", missing.join(", "))]
    Imports {
        /// Every missing import, as `package:name/interface@version#function`.
        missing: Vec<String>,
    },
    /// An import exists under that name but has another type.
    #[error("the component does not fit this host")]
    Link {
        /// wasmtime's reason.
        source: Cause,
    },
    /// The component exports no interface that could be a module.
    #[error("the component exports no interface with a package name, so it has no module")]
    NoModule,
    /// Two interfaces of one component have the same short name.
    #[error("the component exports two modules named `{name}`: `{first}` and `{second}`")]
    SameName {
        /// The short name.
        name: String,
        /// One full name.
        first: String,
        /// The other.
        second: String,
    },
    /// An interface's name cannot be a module's name.
    #[error("an exported interface cannot be a module")]
    Name {
        /// What is wrong with the name.
        #[from]
        source: InvalidId,
    },
    /// The minion answers this name itself.
    #[error("the module name `{name}` belongs to the minion itself")]
    Reserved {
        /// The module's name.
        name: String,
    },
    /// Another plugin already has a module of this name.
    #[error("the module `{name}` is already provided by `{}`, so `{}` is refused", holder.display(), refused.display())]
    Claimed {
        /// The module's name.
        name: String,
        /// The file that has it.
        holder: PathBuf,
        /// The file that wanted it too.
        refused: PathBuf,
    },
}

/// A reason given by wasmtime, kept with its chain.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl From<wasmtime::Error> for Cause {
    fn from(error: wasmtime::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

impl Error {
    pub(super) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { source: error.into() }
    }

    pub(super) fn ticker(source: io::Error) -> Self {
        Self::Ticker { source }
    }

    pub(super) fn compile(error: wasmtime::Error) -> Self {
        Self::Compile { source: error.into() }
    }

    /// The error and its causes in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}
