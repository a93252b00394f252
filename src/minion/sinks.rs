//! Where what modules and the registry have to say goes: into the minion's own log.

use crate::{
    ids::{MethodName, ModuleName},
    plugin::{Events, Level, LoadEvent, LoadSink},
};

/// The log of a plain call, which nobody can ask for afterwards. (A job's log is kept with the job.)
pub(super) struct CallLog(pub(super) MethodName);

impl Events for CallLog {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let method = &self.0;
        match level {
            Level::Error => tracing::warn!(%method, ?fields, "{message}"),
            Level::Warn | Level::Info => tracing::info!(%method, ?fields, "{message}"),
            Level::Debug | Level::Trace => tracing::debug!(%method, ?fields, "{message}"),
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        tracing::debug!(method = %self.0, done, total, note, "progress");
    }
}

/// What became of plugin files.
pub(super) struct LoadLog;

impl LoadSink for LoadLog {
    fn event(&self, event: LoadEvent) {
        match event {
            LoadEvent::Loaded { file, modules, digest } => {
                tracing::info!(file = %file.display(), modules = names(&modules), digest = digest.short(), "loaded a plugin");
            }
            LoadEvent::Replaced { file, modules, old, new } => {
                let (old, new) = (old.short(), new.short());
                tracing::info!(file = %file.display(), modules = names(&modules), old, new, "replaced a plugin");
            }
            LoadEvent::Unloaded { file, digest } => {
                tracing::info!(file = %file.display(), digest = digest.short(), "unloaded a plugin");
            }
            LoadEvent::Failed { file, error, still_serving } => {
                tracing::error!(file = %file.display(), error, still_serving, "a plugin does not load");
            }
        }
    }
}

fn names(modules: &[ModuleName]) -> String {
    modules.iter().map(ModuleName::as_str).collect::<Vec<_>>().join(", ")
}
