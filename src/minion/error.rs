//! Why a minion cannot start.

use std::{io, path::PathBuf};

use crate::{ca, ids::InvalidId, jobs, plugin, tls};

/// Why a minion cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What is kept of jobs that were passed on cannot be used.
    #[error("cannot keep what is passed on in `{}`", path.display())]
    Delegated {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its identity cannot be used.
    #[error("cannot use this minion's identity")]
    Identity(#[from] tls::Error),
    /// A certificate that lies ready cannot be taken.
    #[error("cannot finish taking a new certificate into use")]
    Renewal {
        /// Why.
        source: io::Error,
    },
    /// Its identity was issued for something else.
    #[error("the certificate of `{name}` was issued for {role}; a minion needs one for the role `minion`")]
    Role {
        /// Whose certificate.
        name: String,
        /// For what.
        role: String,
    },
    /// The audit log cannot be opened. Nothing is served that could not be recorded from the start.
    #[error("cannot open the audit log `{}`", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is sent beside calls cannot be kept.
    #[error("cannot use the folder `{}` for what is sent to this minion", path.display())]
    Incoming {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A fence that the kernel has cannot be raised.
    #[error("cannot raise the fence `{fence}`; see [fences] in minion.toml")]
    Fence {
        /// Its key in the configuration.
        fence: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The listener does not say where it listens.
    #[error("cannot use the listening socket")]
    Listener(#[source] io::Error),
    /// Modules cannot be served at all. (One that does not load is no such error.)
    #[error("cannot serve modules")]
    Modules(#[from] plugin::Error),
    /// Jobs cannot be kept.
    #[error("cannot keep jobs")]
    Jobs(#[from] jobs::Error),
    /// The simulation's certificate authority cannot be used.
    #[error("cannot make a simulated fleet")]
    Authority(#[from] ca::Error),
    /// A simulated host cannot have this name.
    #[error("cannot name a simulated host")]
    Name(#[source] InvalidId),
}
