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
    Catalog, LoadEvent, LoadFailure, LoadSink, NotServed, RegistryConfig, Served,
    files::{self, Stamps},
    watch::Watcher,
};
use crate::{
    access::{Bearer, Grant, Grants, Provenance, Signers, Untrusted},
    config,
    ids::{Digest, ModuleName},
    plugin::{Cache, Engine, Error, Plugin, check},
};

/// What a handle asks for.
pub(super) enum Order {
    /// Read the folder.
    Rescan(oneshot::Sender<()>),
    /// See to it that there is code of this component that loads.
    Renew { digest: Digest, done: oneshot::Sender<()> },
    /// Whether a file with these bytes and this signature would be trusted.
    Judge { bytes: Vec<u8>, signature: Option<String>, done: oneshot::Sender<Result<(), Error>> },
    /// Trust these signers, and hold what asks for more than these grants.
    Decide { signers: Signers, grants: Grants, done: oneshot::Sender<()> },
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
    stamps: Option<Stamps>,
    /// What is served from it.
    serving: Option<Served>,
    /// What would be served if another file did not have its names.
    waiting: Option<Served>,
    why: Option<NotServed>,
}

/// What a look at a file found.
enum Found {
    /// The bytes that are served already.
    Same(Provenance),
    New(Served),
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
                Some(Order::Judge { bytes, signature, done }) => {
                    let _ = done.send(self.judge(bytes, signature).await);
                }
                Some(Order::Rescan(done)) => {
                    watcher.renew();
                    self.rescan(false).await;
                    let _ = done.send(());
                }
                Some(Order::Decide { signers, grants, done }) => {
                    self.config.grants = grants;
                    let withdrawn = if self.config.signers == signers {
                        false
                    } else {
                        self.config.signers = signers;
                        self.withdraw()
                    };
                    self.rescan(withdrawn).await;
                    let _ = done.send(());
                }
                None => {
                    watcher.renew();
                    self.rescan(false).await;
                }
            }
        }
    }

    /// Ends what is no longer trusted, and has every file looked at again.
    fn withdraw(&mut self) -> bool {
        let mut changed = false;
        for (path, file) in &mut self.files {
            file.stamps = None;
            file.waiting = None;
            let Some(served) = &mut file.serving else { continue };
            if let Some(provenance) = self.config.signers.still(&served.provenance) {
                changed |= served.provenance != provenance;
                served.provenance = provenance;
            } else {
                self.sink.event(LoadEvent::Unloaded { file: path.clone(), digest: served.plugin.digest() });
                file.serving = None;
                changed = true;
            }
        }
        changed
    }

    /// Reads the folder, and publishes what is served now if that, or what came before, changed anything.
    async fn rescan(&mut self, mut changed: bool) {
        let folder = self.config.folder.clone();
        match blocking(move || files::list(&folder)).await {
            Some(Ok(found)) => {
                changed |= self.forget(&found);
                for (path, stamps) in found {
                    changed |= self.look_at(path, stamps).await;
                }
                changed |= self.admit_waiting();
            }
            Some(Err(error)) => {
                // What is loaded serves on: a folder that cannot be read says nothing about its files.
                let why = NotServed::Failed { error: error.to_string() };
                let file = self.config.folder.clone();
                self.sink.event(LoadEvent::NotServed { file, why, still_serving: true });
            }
            None => {}
        }
        if changed {
            self.publish();
        }
    }

    /// Unloads what is no longer there, which frees its names.
    fn forget(&mut self, found: &BTreeMap<PathBuf, Stamps>) -> bool {
        let gone: Vec<PathBuf> = self.files.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in &gone {
            if let Some(served) = self.files.remove(path).and_then(|file| file.serving) {
                self.sink.event(LoadEvent::Unloaded { file: path.clone(), digest: served.plugin.digest() });
            }
        }
        !gone.is_empty()
    }

    /// Loads a file if it or its signature has changed.
    async fn look_at(&mut self, path: PathBuf, stamps: Stamps) -> bool {
        let file = self.files.entry(path.clone()).or_default();
        if file.stamps == Some(stamps) {
            return false;
        }
        file.stamps = Some(stamps);
        let serving = file.serving.as_ref().map(|served| served.plugin.digest());
        let (engine, cache, signers) = (self.engine.clone(), self.cache.clone(), self.config.signers.clone());
        let from = path.clone();
        let found = blocking(move || find(&from, serving, &signers, &engine, &cache)).await;
        match found {
            Some(Ok(Found::Same(provenance))) => {
                let mut changed = file.why.take().is_some();
                file.waiting = None;
                if let Some(served) = file.serving.as_mut().filter(|served| served.provenance != provenance) {
                    served.provenance = provenance;
                    changed = true;
                }
                changed
            }
            Some(Ok(Found::New(served))) => {
                file.why = None;
                file.waiting = Some(served);
                true
            }
            Some(Err(error)) => {
                if matches!(error, Error::Read { .. } | Error::Cache { .. }) {
                    // Not the file's fault; it is tried again without a change.
                    file.stamps = None;
                }
                file.waiting = None;
                let unsigned = matches!(error, Error::Untrusted { source: Untrusted::Unsigned, .. });
                let error = error.chain();
                self.refuse(&path, if unsigned { NotServed::Unsigned { error } } else { NotServed::Failed { error } })
            }
            None => {
                let error = "loading it failed unexpectedly; see the minion's log".to_owned();
                self.refuse(&path, NotServed::Failed { error })
            }
        }
    }

    /// Serves what is loaded and not yet served, if its names are free.
    fn admit_waiting(&mut self) -> bool {
        let mut changed = false;
        let waiting: Vec<PathBuf> =
            self.files.iter().filter(|(_, file)| file.waiting.is_some()).map(|(path, _)| path.clone()).collect();
        for path in waiting {
            if let Some(refusal) = self.refusal(&path) {
                changed |= self.refuse(&path, NotServed::Failed { error: refusal.chain() });
                continue;
            }
            if let Some(held) = self.held(&path) {
                changed |= self.refuse(&path, held);
                continue;
            }
            let Some(file) = self.files.get_mut(&path) else { continue };
            let Some(served) = file.waiting.take() else { continue };
            file.why = None;
            let modules = served.plugin.modules().iter().map(|module| module.name.clone()).collect();
            let (new, provenance) = (served.plugin.digest(), served.provenance.clone());
            let event = match file.serving.replace(served) {
                Some(old) => LoadEvent::Replaced { file: path, modules, old: old.plugin.digest(), new, provenance },
                None => LoadEvent::Loaded { file: path, modules, digest: new, provenance },
            };
            self.sink.event(event);
            changed = true;
        }
        changed
    }

    /// Whether the waiting version of a file asks for more than is granted, while an old one serves.
    fn held(&self, path: &Path) -> Option<NotServed> {
        let file = self.files.get(path).filter(|file| file.serving.is_some())?;
        let waiting = file.waiting.as_ref()?;
        let modules = waiting.plugin.modules();
        let module = modules.first()?;
        let mut granted = Grant::default();
        for module in modules {
            let bearer = Bearer {
                short: &module.name,
                full: &module.full_name,
                digest: Some(module.digest),
                provenance: &waiting.provenance,
            };
            granted.extend(self.config.grants.for_bearer(bearer));
        }
        let missing = waiting.plugin.asks().missing_from(&granted);
        if missing.is_empty() {
            return None;
        }
        let table = module.name.to_string();
        let asks: Vec<String> =
            missing.lines().into_iter().map(|(key, value)| config::lines(&["grants", &table], key, &value)).collect();
        let wanted: Vec<String> = missing.lines().iter().map(|(key, value)| format!("{key} = [{value}]")).collect();
        let error = format!(
            "it asks for more than `{table}` is granted; the old version serves on until it gets {}",
            wanted.join(", ")
        );
        Some(NotServed::Held { error, held: waiting.clone(), asks })
    }

    /// Why the waiting plugin of a file cannot have its names.
    fn refusal(&self, path: &Path) -> Option<Error> {
        let names = |plugin: &Plugin| -> BTreeSet<ModuleName> {
            plugin.modules().iter().flat_map(|module| [module.name.clone(), module.full_name.clone()]).collect()
        };
        let wanted = names(&self.files.get(path)?.waiting.as_ref()?.plugin);
        if let Some(name) = self.config.reserved.iter().find(|name| wanted.contains(*name)) {
            return Some(Error::Reserved { name: name.to_string() });
        }
        let others = self.files.iter().filter(|(other, _)| *other != path);
        let mut held = others.filter_map(|(other, file)| Some((other, names(&file.serving.as_ref()?.plugin))));
        held.find_map(|(holder, held)| {
            let name = held.intersection(&wanted).next()?;
            Some(Error::Claimed { name: name.to_string(), holder: holder.clone(), refused: path.to_owned() })
        })
    }

    /// Notes why a file's contents are not served; says so once.
    fn refuse(&mut self, path: &Path, why: NotServed) -> bool {
        let Some(file) = self.files.get_mut(path).filter(|file| file.why.as_ref() != Some(&why)) else { return false };
        let still_serving = file.serving.is_some();
        file.why = Some(why.clone());
        self.sink.event(LoadEvent::NotServed { file: path.to_owned(), why, still_serving });
        true
    }

    fn publish(&self) {
        let served = self.files.values().filter_map(|file| file.serving.clone()).collect();
        let failures = self.files.iter().filter_map(|(path, file)| {
            let why = file.why.clone()?;
            Some(LoadFailure { file: path.clone(), why, still_serving: file.serving.is_some() })
        });
        self.publish.send_replace(Arc::new(Catalog::new(served, failures.collect())));
    }

    async fn judge(&self, bytes: Vec<u8>, signature: Option<String>) -> Result<(), Error> {
        let signers = self.config.signers.clone();
        let judged = blocking(move || {
            check::is_component(&bytes)?;
            let judged = signers.judge(&bytes, signature.as_deref());
            judged.map(drop).map_err(|source| Error::Untrusted { path: PathBuf::from("what was sent"), source })
        });
        judged.await.unwrap_or(Err(Error::NoModule))
    }

    async fn renew(&self, digest: Digest) {
        let has = |file: &File| file.serving.iter().chain(&file.waiting).any(|served| served.plugin.digest() == digest);
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
        let loaded = self.files.values().flat_map(|file| file.serving.iter().chain(&file.waiting));
        keep.extend(loaded.map(|served| served.plugin.digest()));
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

/// Reads a file and its signature; compiles the very bytes that the signature is of.
fn find(
    path: &Path,
    serving: Option<Digest>,
    signers: &Signers,
    engine: &Engine,
    cache: &Cache,
) -> Result<Found, Error> {
    let bytes = files::read(path)?;
    // What is no component is told as that, signed or not.
    check::is_component(&bytes)?;
    let signature = files::read_signature(path)?;
    let provenance = signers
        .judge(&bytes, signature.as_deref())
        .map_err(|source| Error::Untrusted { path: path.to_owned(), source })?;
    if Some(Digest::of(&bytes)) == serving {
        return Ok(Found::Same(provenance));
    }
    let plugin = cache.load(engine, &bytes)?;
    Ok(Found::New(Served { file: path.to_owned(), plugin, provenance }))
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
