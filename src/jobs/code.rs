//! Where the compiled code of components comes from.

use std::{path::PathBuf, pin::Pin};

use crate::{ids::Digest, plugin::Registry};

/// Compiled code for workers, which only load what lies in a file.
pub trait CompiledCode: Send + Sync {
    /// The file of a component's code; nothing while it is not there.
    fn path(&self, digest: &Digest) -> Option<PathBuf>;

    /// Makes a file again that is gone or does not load, if the component is still installed. Ends when that
    /// is done or has failed; the next attempt to load it tells which.
    fn renew(&self, digest: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl CompiledCode for Registry {
    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        self.compiled_path(digest)
    }

    fn renew(&self, digest: Digest) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let registry = self.clone();
        Box::pin(async move { registry.renew(digest).await })
    }
}
