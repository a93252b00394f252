//! What the operator allows, taken anew while the minion serves.
//!
//! ```text
//! minion.toml, *.acl ──changed, or SIGHUP──▶ read, checked ──▶ who may call what, grants, settings: from the next call on
//!                                                │       └──▶ whose modules load: the registry looks again
//!                                                └── broken ──▶ the last good rules stay; the log and `system.modules` say so
//! ```
//!
//! A call keeps the rules with which it began. What else changed in the file waits for a restart, which the
//! log says too.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::config::{MinionConfig, Source};
use crate::{
    access::{AuditLog, Event, Grants, Policy},
    ids::ModuleName,
    plugin::Registry,
};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What modules may touch, and what they are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rules {
    /// Whether overlords may push modules.
    pub(super) push: bool,
    pub(super) grants: Grants,
    pub(super) settings: BTreeMap<ModuleName, BTreeMap<String, String>>,
    pub(super) policy: Policy,
}

impl Rules {
    pub(super) fn of(config: &MinionConfig) -> Self {
        Self {
            push: config.modules.push,
            grants: config.grants.clone(),
            settings: config.settings.clone(),
            policy: config.policy(),
        }
    }
}

/// Why the file is not what is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outdated {
    pub(super) file: PathBuf,
    pub(super) why: String,
}

/// The rules in force. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct RulesInForce {
    rules: watch::Receiver<Arc<Rules>>,
    outdated: watch::Receiver<Option<Outdated>>,
}

impl RulesInForce {
    /// These rules, for good.
    pub(super) fn fixed(rules: Rules) -> Self {
        Self { rules: watch::channel(Arc::new(rules)).1, outdated: watch::channel(None).1 }
    }

    /// The rules of `config`, kept up with its file for as long as somebody asks.
    pub(super) fn following(config: &MinionConfig, registry: Registry, audit: Arc<AuditLog>) -> Self {
        let (sender, rules) = watch::channel(Arc::new(Rules::of(config)));
        let (teller, outdated) = watch::channel(None);
        if let Some(source) = config.source.clone() {
            tokio::spawn(follow(source, config.clone(), registry, audit, sender, teller));
        }
        Self { rules, outdated }
    }

    /// Why the rules are not those of the file, if they are not.
    pub(super) fn outdated(&self) -> Option<Outdated> {
        self.outdated.borrow().clone()
    }

    /// The rules now.
    pub(super) fn now(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.borrow())
    }
}

/// What is different, for the audit log: the reload, and each module whose grants have changed.
fn changes(before: &Rules, after: &Rules, trust: bool, config: &MinionConfig) -> Vec<Event> {
    let parts = [
        ("access", before.policy != after.policy),
        ("grants", before.grants != after.grants),
        ("settings", before.settings != after.settings),
        ("signers", trust),
        ("push", before.push != after.push),
    ];
    let changed = parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect();
    let modules: BTreeSet<_> = before.grants.modules().chain(after.grants.modules()).collect();
    let lines = |grants: &Grants, module: &ModuleName| -> Vec<String> {
        grants.for_module(module, module).lines().into_iter().map(|(key, value)| format!("{key} = [{value}]")).collect()
    };
    let grants =
        modules.into_iter().map(|module| (module, lines(&before.grants, module), lines(&after.grants, module)));
    let grants = grants.filter(|(_, before, after)| before != after).map(|(module, before, after)| Event::Grant {
        module: module.to_string(),
        before,
        after,
    });
    std::iter::once(Event::Reload { changed, config: config.digest() }).chain(grants).collect()
}

async fn follow(
    source: Source,
    config: MinionConfig,
    registry: Registry,
    audit: Arc<AuditLog>,
    sender: watch::Sender<Arc<Rules>>,
    teller: watch::Sender<Option<Outdated>>,
) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGHUP; a change of the configuration is noticed all the same");
            None
        }
    };
    // Not what the file is like now: it may have changed since it was read.
    let (mut seen, mut in_force) = (None, config);
    loop {
        let asked = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            () = received(hangup.as_mut()) => true,
            () = sender.closed() => return,
        };
        let now = (stamp(&source.path), in_force.folders.acl.as_deref().map(stamps));
        if !asked && (Some(&now) == seen.as_ref() || now.0.is_none()) {
            continue;
        }
        seen = Some(now);
        match source.read() {
            Ok(fresh) => {
                teller.send_replace(None);
                let rules = Rules::of(&fresh);
                let (trust, changed) = (fresh.trust(), **sender.borrow() != rules);
                let distrust = trust != in_force.trust();
                if changed || distrust {
                    let told = changes(&sender.borrow(), &rules, distrust, &fresh);
                    let grants = rules.grants.clone();
                    sender.send_replace(Arc::new(rules));
                    registry.decide(trust, grants).await;
                    for event in told {
                        audit.event(&event).done().await;
                    }
                    tracing::info!(file = %source.path.display(), "took what the configuration allows now");
                }
                if in_force.differs_beyond_rules(&fresh) {
                    tracing::warn!(file = %source.path.display(), "more of the configuration has changed: restart the minion to take it");
                }
                in_force = fresh;
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                let why = format!("{error}{cause}");
                teller.send_replace(Some(Outdated { file: source.path.clone(), why: why.clone() }));
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot use the changed configuration; the last good rules and grants stay in force"
                );
                audit.event(&Event::ReloadRefused { error: why }).done().await;
            }
        }
    }
}

/// Waits for the signal; for ever, if it cannot be listened for.
async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The same of all ACL files.
fn stamps(folder: &Path) -> BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}
