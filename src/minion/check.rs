//! What can be said of a configuration before anything is served.

use std::{collections::BTreeSet, path::Path};

use jiff::Timestamp;

use super::{Error, MinionConfig, file_methods::GRANTED};
use crate::telemetry::chain;
use crate::{
    ids::ModuleName,
    plugin,
    tls::{self, Identity, IdentityFiles, Role},
};

/// Whether a minion could serve with this configuration. What comes back is likely not as it was meant,
/// and no reason not to serve.
pub fn check(config: &MinionConfig) -> Result<Vec<String>, Error> {
    identity(&config.identity)?;
    let mut warnings = Vec::new();
    let mut known = BTreeSet::new();
    for (file, modules) in plugin::modules_in(&config.folders.modules) {
        match modules {
            Ok(modules) => known.extend(modules),
            Err(error) => warnings.push(format!("`{}` is no module: {}", file.display(), chain(&error))),
        }
    }
    warnings.extend(unused_tables(config, |module| known.contains(module)));
    Ok(warnings)
}

/// The identity, if callers would believe it and it is a minion's.
pub(super) fn identity(files: &IdentityFiles) -> Result<Identity, Error> {
    let identity = files.read()?;
    fit(&identity)?;
    Ok(identity)
}

/// Whether callers would believe it and it is a minion's.
pub(super) fn fit(identity: &Identity) -> Result<(), Error> {
    let peer = identity.peer();
    if !matches!(peer.role, Some(Role::Minion | Role::SubOverlord)) {
        let role = peer.role.map_or("no role".to_owned(), |role| format!("the role `{role}`"));
        return Err(Error::Role { name: peer.name.clone(), role });
    }
    match identity.check_as_server(Timestamp::now()) {
        // The clock of a machine that has just started may be wrong, and is put right while we serve.
        Err(error @ tls::Error::NotYetValid { .. }) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "serving all the same");
        }
        checked => checked?,
    }
    Ok(())
}

/// Says which tables are for modules that are not there: most likely a name was misspelt, or the module
/// comes later.
pub(super) fn unused_tables(config: &MinionConfig, known: impl Fn(&ModuleName) -> bool) -> Vec<String> {
    let tables =
        [("grants", config.grants.modules().collect::<Vec<_>>()), ("settings", config.settings.keys().collect())];
    let mut unused = Vec::new();
    for (table, modules) in tables {
        for module in modules.into_iter().filter(|module| !known(module) && !GRANTED.contains(&module.as_str())) {
            let folder = shown(&config.folders.modules);
            unused.push(format!("`[{table}.{module}]` is for no module that is in `{folder}` now"));
        }
    }
    unused
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, fs};

    use super::*;
    use crate::{
        ca::{Authority, IssueRequest},
        config::Home,
    };

    fn config(folder: &Path) -> MinionConfig {
        MinionConfig::load_or_default(Path::new("/no/such/file"), &Home::at(folder)).unwrap()
    }

    /// What is said of an identity of this wish, after `spoil` had its way with the files.
    fn said(role: Role, change: impl FnOnce(&mut IssueRequest), spoil: impl FnOnce(&MinionConfig)) -> Option<String> {
        let home = tempfile::tempdir().unwrap();
        let mut wish = IssueRequest::new("web1".parse().unwrap(), role);
        change(&mut wish);
        let authority = Authority::in_memory("Func CA").unwrap();
        authority.issue(&wish).unwrap().save(&home.path().join("identity")).unwrap();
        let config = config(home.path());
        spoil(&config);
        let error = check(&config).err()?;
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Some(format!("{error}{cause}"))
    }

    #[test]
    fn only_an_identity_that_callers_believe_is_good_enough() {
        let as_it_is = |_: &MinionConfig| {};
        let now = time::OffsetDateTime::now_utc;
        let day = time::Duration::days(1);
        assert_eq!(said(Role::Minion, |_| {}, as_it_is), None);
        assert_eq!(said(Role::SubOverlord, |_| {}, as_it_is), None);
        assert_eq!(said(Role::Minion, |wish| wish.not_before = Some(now() + day), as_it_is), None, "a wrong clock");
        let boss = said(Role::Overlord, |_| {}, as_it_is).unwrap();
        assert!(boss.contains("`overlord`") && boss.contains("`minion`"), "{boss}");
        let old =
            said(Role::Minion, |wish| (wish.not_before, wish.days) = (Some(now() - day * 3), 1), as_it_is).unwrap();
        assert!(old.contains("expired"), "{old}");
        let gone = said(Role::Minion, |_| {}, |config| fs::remove_file(&config.identity.key).unwrap()).unwrap();
        assert!(gone.contains("key.pem"), "{gone}");
        let other = || Authority::in_memory("Other CA").unwrap();
        let issued = || other().issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
        let key =
            said(Role::Minion, |_| {}, |config| fs::write(&config.identity.key, issued().key_pem).unwrap()).unwrap();
        assert!(key.contains("cannot be used"), "{key}");
        let stranger =
            said(Role::Minion, |_| {}, |config| fs::write(&config.identity.authority, issued().ca_pem).unwrap())
                .unwrap();
        assert!(stranger.contains("not issued by"), "{stranger}");
    }

    #[test]
    fn tables_for_modules_that_are_not_there_are_named() {
        let home = tempfile::tempdir().unwrap();
        let authority = Authority::in_memory("Func CA").unwrap();
        let issued = authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
        issued.save(&home.path().join("identity")).unwrap();
        fs::create_dir(home.path().join("modules")).unwrap();
        let component = r#"(component (component) (instance $i) (export "acme:disk/disk@1.2.0" (instance $i)))"#;
        fs::write(home.path().join("modules/disk.wasm"), wat::parse_str(component).unwrap()).unwrap();
        let tables = "[grants.disk]\n[grants.\"acme:disk/disk\"]\n[grants.dsik]\n[settings.dusk]\n";
        let told = MinionConfig { ..crate::config::parse(tables, Path::new("minion.toml")).unwrap() };
        let config = MinionConfig { grants: told.grants, settings: told.settings, ..config(home.path()) };
        let warnings = check(&config).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("[grants.dsik]") && warnings[1].contains("[settings.dusk]"), "{warnings:?}");
        fs::write(home.path().join("modules/junk.wasm"), "junk").unwrap();
        assert!(check(&config).unwrap()[0].contains("junk.wasm"));
    }
}
