//! The task that owns what is loaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{
    sync::{mpsc, oneshot, watch as latest},
    time,
};

use super::{
    Catalog, LoadEvent, LoadFailure, LoadSink, RegistryConfig,
    files::{self, Stamp},
    watch::Watcher,
};
use crate::{
    ids::{Digest, ModuleName},
    plugin::{Cache, Engine, Error, Plugin},
};

/// What a handle asks for.
pub(super) enum Order {
    /// Read the folder.
    Rescan(oneshot::Sender<()>),
    /// See to it that there is code of this component that loads.
    Renew { digest: Digest, done: oneshot::Sender<()> },
    /// Remove compiled code that nobody needs.
    Collect { keep: BTreeSet<Digest>, done: oneshot::Sender<usize> },
}

pub(super) struct Owner {
    config: RegistryConfig,
    engine: Engine,
    cache: Cache,
    sink: Arc<dyn LoadSink>,
    publish: latest::Sender<Arc<Catalog>>,
    files: BTreeMap<PathBuf, File>,
}

/// A file of the folder.
#[derive(Default)]
struct File {
    stamp: Option<Stamp>,
    /// What is served from it.
    serving: Option<Plugin>,
    /// What would be served if another file did not have its names.
    waiting: Option<Plugin>,
    failure: Option<String>,
}

impl Owner {
    pub(super) fn new(
        config: RegistryConfig,
        engine: Engine,
        cache: Cache,
        sink: Arc<dyn LoadSink>,
        publish: latest::Sender<Arc<Catalog>>,
    ) -> Self {
        Self { config, engine, cache, sink, publish, files: BTreeMap::new() }
    }

    /// Serves until the last handle is gone.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut watcher = Watcher::new(self.config.folder.clone(), self.config.quiet);
        let mut now_and_then = time::interval_at(time::Instant::now() + self.config.rescan, self.config.rescan);
        now_and_then.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            let order = tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => Some(order),
                    None => return,
                },
                () = watcher.changed() => None,
                _ = now_and_then.tick() => None,
            };
            match order {
                Some(Order::Collect { keep, done }) => {
                    let _ = done.send(self.collect(keep).await);
                }
                Some(Order::Renew { digest, done }) => {
                    self.renew(digest).await;
                    let _ = done.send(());
                }
                Some(Order::Rescan(done)) => {
                    watcher.renew();
                    self.rescan().await;
                    let _ = done.send(());
                }
                None => {
                    watcher.renew();
                    self.rescan().await;
                }
            }
        }
    }

    async fn rescan(&mut self) {
        let folder = self.config.folder.clone();
        let found = match blocking(move || files::list(&folder)).await {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                // What is loaded serves on: a folder that cannot be read says nothing about its files.
                let file = self.config.folder.clone();
                self.sink.event(LoadEvent::Failed { file, error: error.to_string(), still_serving: true });
                return;
            }
            None => return,
        };
        let mut changed = self.forget(&found);
        for (path, stamp) in found {
            changed |= self.look_at(path, stamp).await;
        }
        changed |= self.admit_waiting();
        if changed {
            self.publish();
        }
    }

    /// Unloads what is no longer there, which frees its names.
    fn forget(&mut self, found: &BTreeMap<PathBuf, Stamp>) -> bool {
        let gone: Vec<PathBuf> = self.files.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in &gone {
            if let Some(plugin) = self.files.remove(path).and_then(|file| file.serving) {
                self.sink.event(LoadEvent::Unloaded { file: path.clone(), digest: plugin.digest() });
            }
        }
        !gone.is_empty()
    }

    /// Loads a file if it has changed.
    async fn look_at(&mut self, path: PathBuf, stamp: Stamp) -> bool {
        let file = self.files.entry(path.clone()).or_default();
        if file.stamp == Some(stamp) {
            return false;
        }
        file.stamp = Some(stamp);
        let had_failed = file.failure.is_some();
        let serving = file.serving.as_ref().map(Plugin::digest);
        let (engine, cache, from) = (self.engine.clone(), self.cache.clone(), path.clone());
        let loaded = blocking(move || {
            let bytes = files::read(&from)?;
            if Some(Digest::of(&bytes)) == serving { Ok(None) } else { cache.load(&engine, &bytes).map(Some) }
        });
        match loaded.await {
            Some(Ok(None)) => {
                file.failure = None;
                file.waiting = None;
                had_failed
            }
            Some(Ok(Some(plugin))) => {
                file.failure = None;
                file.waiting = Some(plugin);
                true
            }
            Some(Err(error)) => {
                if matches!(error, Error::Read { .. } | Error::Cache { .. }) {
                    // Not the file's fault; it is tried again without a change.
                    file.stamp = None;
                }
                file.waiting = None;
                self.fail(&path, error.chain());
                true
            }
            None => {
                self.fail(&path, "loading it failed unexpectedly; see the minion's log".to_owned());
                true
            }
        }
    }

    /// Serves what is loaded and not yet served, if its names are free.
    fn admit_waiting(&mut self) -> bool {
        let mut changed = false;
        let waiting: Vec<PathBuf> =
            self.files.iter().filter(|(_, file)| file.waiting.is_some()).map(|(path, _)| path.clone()).collect();
        for path in waiting {
            let refusal = self.refusal(&path);
            let Some(file) = self.files.get_mut(&path) else { continue };
            if let Some(refusal) = refusal {
                let refusal = refusal.chain();
                if file.failure.as_ref() != Some(&refusal) {
                    self.fail(&path, refusal);
                    changed = true;
                }
                continue;
            }
            let Some(plugin) = file.waiting.take() else { continue };
            file.failure = None;
            let modules = plugin.modules().iter().map(|module| module.name.clone()).collect();
            let new = plugin.digest();
            let event = match file.serving.replace(plugin) {
                Some(old) => LoadEvent::Replaced { file: path, modules, old: old.digest(), new },
                None => LoadEvent::Loaded { file: path, modules, digest: new },
            };
            self.sink.event(event);
            changed = true;
        }
        changed
    }

    /// Why the waiting plugin of a file cannot have its names.
    fn refusal(&self, path: &Path) -> Option<Error> {
        let names = |plugin: &Plugin| -> BTreeSet<ModuleName> {
            plugin.modules().iter().flat_map(|module| [module.name.clone(), module.full_name.clone()]).collect()
        };
        let wanted = names(self.files.get(path)?.waiting.as_ref()?);
        if let Some(name) = self.config.reserved.iter().find(|name| wanted.contains(*name)) {
            return Some(Error::Reserved { name: name.to_string() });
        }
        let others = self.files.iter().filter(|(other, _)| *other != path);
        let mut held = others.filter_map(|(other, file)| Some((other, names(file.serving.as_ref()?))));
        held.find_map(|(holder, held)| {
            let name = held.intersection(&wanted).next()?;
            Some(Error::Claimed { name: name.to_string(), holder: holder.clone(), refused: path.to_owned() })
        })
    }

    fn fail(&mut self, path: &Path, error: String) {
        if let Some(file) = self.files.get_mut(path) {
            let still_serving = file.serving.is_some();
            file.failure = Some(error.clone());
            self.sink.event(LoadEvent::Failed { file: path.to_owned(), error, still_serving });
        }
    }

    fn publish(&self) {
        let plugins = self.files.values().filter_map(|file| file.serving.clone()).collect();
        let failures = self.files.iter().filter_map(|(path, file)| {
            let error = file.failure.clone()?;
            Some(LoadFailure { file: path.clone(), error, still_serving: file.serving.is_some() })
        });
        self.publish.send_replace(Arc::new(Catalog::new(plugins, failures.collect())));
    }

    async fn renew(&self, digest: Digest) {
        let has = |file: &File| file.serving.iter().chain(&file.waiting).any(|plugin| plugin.digest() == digest);
        let Some((path, _)) = self.files.iter().find(|(_, file)| has(file)) else { return };
        let (engine, cache, path) = (self.engine.clone(), self.cache.clone(), path.clone());
        let renewed = blocking(move || {
            let bytes = files::read(&path)?;
            // A file that was replaced a moment ago is another component; that one is not asked for.
            if Digest::of(&bytes) == digest { cache.load(&engine, &bytes).map(drop) } else { Ok(()) }
        });
        if let Some(Err(error)) = renewed.await {
            tracing::error!(digest = %digest.short(), error = error.chain(), "cannot compile a module again");
        }
    }

    async fn collect(&self, mut keep: BTreeSet<Digest>) -> usize {
        let plugins = self.files.values().flat_map(|file| file.serving.iter().chain(&file.waiting));
        keep.extend(plugins.map(Plugin::digest));
        let (cache, idle) = (self.cache.clone(), self.config.keep_code);
        match blocking(move || cache.collect(&keep, idle)).await {
            Some(Ok(removed)) => removed,
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot clean the cache of compiled modules");
                0
            }
            None => 0,
        }
    }
}

/// Runs something that blocks on a thread that may. Nothing when it panicked, which is logged.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Some(result),
        Err(error) => {
            tracing::error!(%error, "work on a plugin panicked");
            None
        }
    }
}
