//! Why the daemon cannot serve.

use std::{io, path::PathBuf};

use crate::{overlord, tls};

/// Why the daemon cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another one serves this home.
    #[error("another daemon serves `{}` already", path.display())]
    Serving {
        /// Its socket.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("cannot listen on `{}`", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The identity is not fit for a server.
    #[error("this identity cannot serve on the network")]
    Unfit(#[source] tls::Error),
    /// The open jobs cannot be read.
    #[error(transparent)]
    Overlord(#[from] overlord::Error),
}
