//! What can go wrong with the store.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the store.
    #[error("the store `{}` is in use by {}; waited {} s", path.display(), holder_text(*holder), waited.as_secs())]
    Busy {
        /// The store's folder.
        path: PathBuf,
        /// The process that holds it, if it said so.
        holder: Option<u32>,
        /// How long we waited for it.
        waited: Duration,
    },
    /// The operating system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own words.
        source: Arc<io::Error>,
    },
    /// The data on disk contradicts itself. The next opening checks all of it and sets it aside if it must.
    #[error("the store `{}` is damaged: {why}", path.display())]
    Broken {
        /// The store's folder.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The folder was written by a newer program.
    #[error("the store `{}` has format `{found}`, which this version does not know; use the version that wrote it", path.display())]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// The format it says it has.
        found: String,
    },
    /// A row was written by a newer program.
    #[error("table `{table}` holds a row of version {found}; this version reads up to {known}")]
    Version {
        /// The table.
        table: &'static str,
        /// The row's version.
        found: u8,
        /// Ours.
        known: u8,
    },
    /// A key or a value could not be written or read as its type.
    #[error("a row of table `{table}` cannot be {doing}: {why}")]
    Row {
        /// The table.
        table: &'static str,
        /// `read` or `written`.
        doing: &'static str,
        /// The serialiser's own words.
        why: String,
    },
    /// A commit did not reach the disk; nothing since the last good commit is certain.
    #[error("the store `{}` could not be written to disk; what was being saved is not", path.display())]
    Commit {
        /// The store's folder.
        path: PathBuf,
        /// The system's own words.
        source: Arc<io::Error>,
    },
    /// The transaction ended in a panic; nothing of it was written.
    #[error("a transaction on the store broke off: {why}")]
    Panicked {
        /// The panic's message.
        why: String,
    },
    /// The store's thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Wraps an I/O error with what was attempted on which path.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source: Arc::new(source) }
    }

    /// What the system refused, if that is what went wrong.
    pub fn refused(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } | Self::Commit { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// Whether the data itself is to blame, rather than the system around it.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Row { doing: "read", .. })
    }
}

/// The text of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
