//! The plugins of a folder, kept in step with it while the minion runs.
//!
//! ```text
//! folder ──inotify, trailing debounce; now and then; on demand──▶ rescan
//! rescan: gone ──▶ unload        changed ──signature──▶ same digest ──▶ nothing
//!                                             │  └─────▶ compile, load, link ──▶ claim its names ──▶ swap
//!                                             └── refused ──── failed ──────────────┴──▶ the old one serves on
//! ```
//!
//! A file loads when somebody whom the operator trusts has signed its bytes ([`Signers`]): the bytes that
//! were read, which are then compiled. The signature `FILE.minisig` may come before the file or after it;
//! a change of either is a reason to look again, and so is a change of whom the operator trusts, which
//! also ends what is no longer trusted.
//!
//! A new version that asks for more than its module is granted is *held*: the old one serves on until the
//! operator grants it. A first version has no old one to serve, so it loads, and is denied at the call.
//!
//! One task owns the state; the [`Registry`] is a handle to it. What is served is an immutable
//! [`Catalog`] behind an `Arc`: a call takes the plugin out of it and keeps that version to its end,
//! whatever happens to the file meanwhile. Reading, hashing and compiling happen on threads that may
//! block, one file after another.

mod catalog;
mod event;
pub(super) mod files;
mod owner;
mod watch;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch as latest};

pub use catalog::{Catalog, LoadFailure, NotServed, Served, Target, Unknown, similar};
pub use event::{LoadEvent, LoadSink, NoSink};

use super::{Cache, Engine, Error};
use crate::{
    access::{Grants, Signers},
    ids::{Digest, ModuleName},
};

/// Where plugins come from and where their compiled code goes.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// The plugin folder. Every file in it whose name ends in `.wasm` is a plugin.
    pub folder: PathBuf,
    /// The folder of compiled code; nobody else may use it.
    pub cache: PathBuf,
    /// Names that plugins may not take, because the minion answers them itself.
    pub reserved: Vec<ModuleName>,
    /// Whose plugins load.
    pub signers: Signers,
    /// What the operator grants: a new version that asks for more is held.
    pub grants: Grants,
    /// How long the folder must be quiet before it is read again.
    pub quiet: Duration,
    /// How long compiled code that nobody names is kept after its last use, for a version that comes back
    /// and for whoever is about to load it.
    pub keep_code: Duration,
    /// How often the folder is read even if nothing was noticed: network file systems tell nobody.
    pub rescan: Duration,
}

impl RegistryConfig {
    /// The usual times, no reserved name, and nobody who is trusted.
    pub fn new(folder: impl Into<PathBuf>, cache: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cache: cache.into(),
            reserved: Vec::new(),
            signers: Signers::default(),
            grants: Grants::default(),
            quiet: Duration::from_millis(150),
            keep_code: Duration::from_hours(1),
            rescan: Duration::from_mins(1),
        }
    }
}

/// A handle to the plugins of a folder. Cheap to clone; the owner ends with the last handle.
#[derive(Clone)]
pub struct Registry {
    orders: mpsc::Sender<owner::Order>,
    catalog: latest::Receiver<Arc<Catalog>>,
    cache: Cache,
    engine: Engine,
}

impl Registry {
    /// Loads everything in the folder and begins to watch it.
    ///
    /// Files that do not load are no error here: they are in the catalog's failures. Must be called
    /// within a tokio runtime.
    pub async fn open(config: RegistryConfig, engine: Engine, sink: Arc<dyn LoadSink>) -> Result<Self, Error> {
        let cache = Cache::open(&config.cache)?;
        std::fs::create_dir_all(&config.folder)
            .map_err(|source| Error::Read { path: config.folder.clone(), source })?;
        let (publish, catalog) = latest::channel(Arc::new(Catalog::default()));
        let (orders, inbox) = mpsc::channel(16);
        let owner = owner::Owner::new(config, engine.clone(), cache.clone(), sink, publish);
        tokio::spawn(owner.run(inbox));
        let registry = Self { orders, catalog, cache, engine };
        registry.rescan().await;
        Ok(registry)
    }

    /// What is served now.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    /// Waits until what is served is no longer what [`Registry::catalog`] gave last.
    pub async fn changed(&mut self) -> Arc<Catalog> {
        // The sender lives as long as this handle keeps the owner's task alive.
        let _ = self.catalog.changed().await;
        Arc::clone(&self.catalog.borrow_and_update())
    }

    /// Reads the folder now, and returns when what it holds is served.
    pub async fn rescan(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(owner::Order::Rescan(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Whether a file with these bytes and this signature would be trusted, before it is in the folder. It may
    /// fail to load all the same.
    pub async fn judge(&self, bytes: Vec<u8>, signature: Option<String>) -> Result<(), Error> {
        let (done, wait) = oneshot::channel();
        let order = owner::Order::Judge { bytes, signature, done };
        if self.orders.send(order).await.is_err() {
            return Err(Error::NoModule);
        }
        wait.await.unwrap_or(Err(Error::NoModule))
    }

    /// Takes another decision of the operator's on whose plugins load and what they may touch, and returns
    /// when it is carried out.
    pub async fn decide(&self, signers: Signers, grants: Grants) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(owner::Order::Decide { signers, grants, done }).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// The file of a component's compiled code, for a worker to load.
    pub fn compiled_path(&self, digest: &Digest) -> Option<PathBuf> {
        Some(self.cache.path(&self.engine, digest)).filter(|path| path.exists())
    }

    /// Compiles a component again whose code is gone or does not load, if it is served or about to be.
    pub async fn renew(&self, digest: Digest) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(owner::Order::Renew { digest, done }).await.is_ok() {
            let _ = wait.await;
        }
    }

    /// Removes compiled code that neither the catalog nor `keep` names: the caller keeps what jobs
    /// that have not started will want. What was used lately stays a while
    /// ([`RegistryConfig::keep_code`]). Returns how many files went.
    pub async fn collect(&self, keep: BTreeSet<Digest>) -> usize {
        let (done, wait) = oneshot::channel();
        match self.orders.send(owner::Order::Collect { keep, done }).await {
            Ok(()) => wait.await.unwrap_or_default(),
            Err(_) => 0,
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("catalog", &*self.catalog.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
