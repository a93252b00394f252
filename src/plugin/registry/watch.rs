//! Noticing that the plugin folder has changed.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::{sync::mpsc, time};

/// However busy the folder is, it is read at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Tells when the folder has changed and has then been quiet for a while.
pub(super) struct Watcher {
    folder: PathBuf,
    quiet: Duration,
    /// What watches, and the folder's inode at the time: a folder made anew must be watched anew.
    watching: Option<(notify::RecommendedWatcher, u64)>,
    notice: mpsc::Sender<()>,
    noticed: mpsc::Receiver<()>,
    /// A change that was noticed and not yet returned: when it will be returned at the latest.
    pending: Option<time::Instant>,
}

impl Watcher {
    pub(super) fn new(folder: PathBuf, quiet: Duration) -> Self {
        let (notice, noticed) = mpsc::channel(1);
        let mut watcher = Self { folder, quiet, watching: None, notice, noticed, pending: None };
        watcher.renew();
        watcher
    }

    /// Watches the folder of that name, which may be another than before, or may be there again.
    pub(super) fn renew(&mut self) {
        let inode = fs::metadata(&self.folder).ok().map(|meta| meta.ino());
        if inode.is_some() && inode == self.watching.as_ref().map(|(_, inode)| *inode) {
            return;
        }
        self.watching = inode.and_then(|inode| match start(&self.folder, self.notice.clone()) {
            Ok(watcher) => Some((watcher, inode)),
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "cannot watch the plugin folder; reading it now and then");
                None
            }
        });
    }

    /// Returns when the folder has changed and has then been quiet. May be dropped at any time: a
    /// change that was noticed before is returned by the next call.
    pub(super) async fn changed(&mut self) {
        if self.pending.is_none() {
            // `self` holds a sender, so that the channel never closes.
            let _ = self.noticed.recv().await;
        }
        let latest = *self.pending.get_or_insert_with(|| time::Instant::now() + LONGEST_WAIT);
        let quiet = self.quiet;
        while time::Instant::now() < latest && time::timeout(quiet, self.noticed.recv()).await.is_ok() {}
        self.pending = None;
    }
}

fn start(folder: &Path, notice: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Reading the folder is an event, too; an answer to it would go on for ever.
        let matters = event.map_or(true, |event| match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            _ => true,
        });
        if matters {
            // A full channel holds a notice already.
            let _ = notice.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
