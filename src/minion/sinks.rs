//! Where what modules and the registry have to say goes: into the minion's own log.

use std::fmt::Write as _;

use crate::{
    ids::{MethodName, ModuleName},
    plugin::{Events, Level, LoadEvent, LoadSink, NotServed},
};

/// The log of a plain call, which nobody can ask for afterwards. (A job's log is kept with the job.)
pub(super) struct CallLog(pub(super) MethodName);

impl Events for CallLog {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let method = &self.0;
        let fields = in_one_line(fields);
        match level {
            Level::Error => tracing::warn!(%method, "{message}{fields}"),
            Level::Warn | Level::Info => tracing::info!(%method, "{message}{fields}"),
            Level::Debug | Level::Trace => tracing::debug!(%method, "{message}{fields}"),
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        tracing::debug!(method = %self.0, done, total, note, "progress");
    }
}

/// The fields as they stand behind a message: `; allow: [grants.disk] read = ["/etc/hosts"]`.
fn in_one_line(fields: &[(String, String)]) -> String {
    fields.iter().fold(String::new(), |mut text, (key, value)| {
        let lines: Vec<&str> = value.lines().map(str::trim).collect();
        let _ = write!(text, "; {key}: {}", lines.join(" "));
        text
    })
}

/// What became of plugin files.
pub(super) struct LoadLog;

impl LoadSink for LoadLog {
    fn event(&self, event: LoadEvent) {
        match event {
            LoadEvent::Loaded { file, modules, digest, provenance } => {
                tracing::info!(file = %file.display(), modules = names(&modules), digest = digest.short(), signer = %provenance, "loaded a plugin");
            }
            LoadEvent::Replaced { file, modules, old, new, provenance } => {
                let (old, new) = (old.short(), new.short());
                tracing::info!(file = %file.display(), modules = names(&modules), old, new, signer = %provenance, "replaced a plugin");
            }
            LoadEvent::Unloaded { file, digest } => {
                tracing::info!(file = %file.display(), digest = digest.short(), "unloaded a plugin");
            }
            // The signature may only not have arrived yet.
            LoadEvent::NotServed { file, why: NotServed::Unsigned { error }, still_serving } => {
                tracing::warn!(file = %file.display(), error, still_serving, "a plugin waits for its signature");
            }
            LoadEvent::NotServed { file, why: NotServed::Held { error, held, .. }, .. } => {
                let new = held.plugin.digest().short();
                tracing::warn!(file = %file.display(), new, error, "a new version of a plugin is held");
            }
            LoadEvent::NotServed { file, why, still_serving } => {
                tracing::error!(file = %file.display(), error = why.error(), still_serving, "a plugin does not load");
            }
        }
    }
}

fn names(modules: &[ModuleName]) -> String {
    modules.iter().map(ModuleName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_plain_text_in_one_line() {
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let fields = [field("allow", "[grants.disk]\nread = [\"/etc/hosts\"]"), field("n", "1")];
        assert_eq!(in_one_line(&fields), "; allow: [grants.disk] read = [\"/etc/hosts\"]; n: 1");
        assert_eq!(in_one_line(&[]), "");
    }
}
