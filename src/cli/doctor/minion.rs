//! A minion, on its own machine.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    path::Path,
    time::Duration,
};

use super::{Finding, fences, identity};
use crate::telemetry::chain;
use crate::{
    access::{Grants, verify_audit},
    cli::context::Context,
    ids::ModuleName,
    minion::{self, MinionConfig},
    plugin,
    tls::Identity,
};

/// What is looked at.
pub(super) const CHECKS: [&str; 7] = ["configuration", "rules", "grants", "modules", "audit", "port", "fences"];

const CONFIGURATION: &str = "configuration";
/// How long a connection to ourselves may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Everything, and which fences are up.
pub(super) fn check(context: &Context) -> (Vec<Finding>, Option<String>) {
    let config = match MinionConfig::load_or_default(&context.home.minion_toml(), &context.home) {
        Ok(config) => config,
        Err(error) => {
            let todo = "mend it; a minion that runs keeps what it had, one that starts does not";
            let mut findings = vec![Finding::wrong(CONFIGURATION, chain(&error), todo)];
            findings.extend(identity::certificates(&context.home.identity()));
            return (findings, None);
        }
    };
    let checks = [certificates, configuration, rules, grants, modules, audit, port];
    let mut findings: Vec<Finding> = checks.iter().flat_map(|check| check(&config)).collect();
    let (fences, found) = fences::check(&config);
    findings.extend(found);
    (findings, Some(fences))
}

fn certificates(config: &MinionConfig) -> Vec<Finding> {
    let files = &config.identity;
    let loaded = Identity::load(&files.certificate, &files.key, &files.authority);
    let mut findings = match loaded.and_then(|identity| identity.with_revocations(&files.revoked)) {
        Ok(found) => identity::of(&found, &files.authority),
        Err(error) => {
            let todo = "put there the files that `func ca issue NAME --role minion` wrote";
            vec![Finding::wrong("identity", chain(&error), todo)]
        }
    };
    findings.extend(identity::private(&files.key));
    findings
}

/// What the minion itself would complain of.
fn configuration(config: &MinionConfig) -> Vec<Finding> {
    match minion::check(config) {
        // An identity that cannot be used is told of already.
        Err(_) => Vec::new(),
        Ok(warnings) => {
            let todo = "correct the name, remove it, or put the module there";
            warnings.into_iter().map(|warning| Finding::note(CONFIGURATION, warning, todo)).collect()
        }
    }
}

/// Rules with which nobody may call.
fn rules(config: &MinionConfig) -> Vec<Finding> {
    let policy = config.policy();
    if policy.rules().iter().any(crate::access::Rule::allows) || !policy.acl().is_empty() {
        return Vec::new();
    }
    vec![Finding::wrong("rules", "no rule allows anything to anybody", "add an [[access]] with `allow` to minion.toml")]
}

/// Grants of files and programs that are not there.
fn grants(config: &MinionConfig) -> Vec<Finding> {
    let grants: &Grants = &config.grants;
    let missing = |module: &ModuleName| {
        let lines = grants.for_module(module, module).lines();
        let named = lines.into_iter().filter(|(key, _)| ["read", "write", "run"].contains(&&**key));
        let paths =
            named.flat_map(|(key, value)| plain_paths(&value).into_iter().map(move |path| (key.to_string(), path)));
        let gone =
            paths.filter(|(key, path)| if key == "write" { !folder_exists(path) } else { !Path::new(path).exists() });
        let finding = |(key, path): (String, String)| {
            let what = format!("[grants.{module}] {key} names `{path}`, which is not there");
            Finding::note("grants", what, "correct the path, or remove it")
        };
        gone.map(finding).collect::<Vec<_>>()
    };
    grants
        .modules()
        .flat_map(missing)
        .chain(grants.modules().flat_map(|module| self_reaching(config, module)))
        .collect()
}

/// Grants with which whoever calls the module could give itself every other, or pose as this minion.
fn self_reaching(config: &MinionConfig, module: &ModuleName) -> Vec<Finding> {
    let grant = config.grants.for_module(module, module);
    let (folders, identity) = (&config.folders, &config.identity);
    let mut told = Vec::new();
    let mut tell = |list: &str, path: &Path, why: &str| {
        let what = format!("[grants.{module}] {list} covers `{}`: {why}", path.display());
        told.push(Finding::wrong("grants", what, "write it more narrowly"));
    };
    let file = config.source.as_ref().map(|source| source.path.clone());
    let inside = [&folders.modules, &folders.cache, &folders.jobs].map(|folder| folder.join("x"));
    let files = file.iter().chain([&identity.certificate, &identity.key, &identity.authority, &identity.revoked]);
    let own = files.chain(&inside).find(|path| grant.write.iter().any(|granted| granted.covers(path)));
    if let Some(path) = own {
        tell("write", path, "whoever may call it can do everything here");
    }
    if grant.read.iter().chain(&grant.write).any(|granted| granted.covers(&identity.key)) {
        tell("read", &identity.key, "whoever may call it can pose as this minion");
    }
    told
}

/// A file that may be written may also be made.
fn folder_exists(path: &str) -> bool {
    Path::new(path).parent().is_none_or(Path::exists)
}

/// The absolute paths without wildcards in a list as it is written in the configuration.
fn plain_paths(list: &str) -> Vec<String> {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("list = [{list}]"));
    let Some(toml::Value::Array(items)) = parsed.ok().and_then(|mut table| table.remove("list")) else {
        return Vec::new();
    };
    let text = |item: &toml::Value| match item {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Table(table) => table.get("program")?.as_str().map(str::to_owned),
        _ => None,
    };
    let plain = |path: &String| path.starts_with('/') && !path.contains(['*', '?', '[', ']', '{', '}', '\\']);
    items.iter().filter_map(text).filter(plain).collect()
}

/// Files in the plugin folder that would not be served.
fn modules(config: &MinionConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, modules) in plugin::modules_in(&config.folders.modules) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        // What is no component is told of with the configuration.
        if modules.is_err() {
            continue;
        }
        let signature = std::fs::read_to_string(crate::author::signature_path(&file)).ok();
        if let Err(error) = config.trust().judge(&bytes, signature.as_deref()) {
            let todo =
                "have it signed by a trusted key, trust its signer in [modules] or [signers], or remove the file";
            let what = format!("`{}` is not served: {}", file.display(), chain(&error));
            findings.push(Finding::wrong("modules", what, todo));
        }
    }
    findings.extend(identity::unwritable(&config.folders.modules));
    findings
}

/// The chain of the audit log.
fn audit(config: &MinionConfig) -> Vec<Finding> {
    let path = &config.folders.audit;
    let mut findings: Vec<Finding> = identity::private(path).into_iter().collect();
    match verify_audit(path, None) {
        // A minion that has never run has none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let what = format!("`{}` cannot be read: {error}", path.display());
            findings.push(Finding::wrong("audit", what, "run this as the user of the minion"));
        }
        Ok(checked) => {
            let todo = "find out who did it; `func audit verify` and `func audit show` tell more";
            findings.extend(checked.findings.into_iter().map(|what| Finding::wrong("audit", what, todo)));
            let lost = checked.notes.into_iter().filter(|note| note.contains("could not be written"));
            findings.extend(lost.map(|what| Finding::note("audit", what, "see that the disk has room")));
        }
    }
    findings
}

/// Whether anybody listens where the minion should.
fn port(config: &MinionConfig) -> Vec<Finding> {
    let listen = config.listen.as_str();
    let here = listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let addresses = match here.to_socket_addrs() {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) => {
            let what = format!("`{listen}` cannot be looked up: {error}");
            return vec![Finding::wrong("port", what, "name an address of this machine as `listen`")];
        }
    };
    if addresses.iter().any(|address| TcpStream::connect_timeout(address, CONNECT).is_ok()) {
        return Vec::new();
    }
    let what = format!("nobody listens on {listen}");
    vec![Finding::wrong("port", what, "start the minion (`systemctl start funcd`), and see its log for why it ended")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_absolute_paths_are_looked_for() {
        let list = r#""/bin/df", "lsblk", "/srv/**", { program = "/opt/x", args = ["*"] }"#;
        assert_eq!(plain_paths(list), ["/bin/df", "/opt/x"]);
        assert_eq!(plain_paths("nonsense"), Vec::<String>::new());
    }

    #[test]
    fn grants_of_what_is_not_there_are_told() {
        let text = "[grants.a]\nread = [\"/no/such\", \"/etc\"]\nwrite = [\"/tmp/new\", \"/no/such/x\"]\nrun = [\"/no/program\"]\n";
        let config: MinionConfig = crate::config::parse(text, Path::new("minion.toml")).unwrap();
        let found: Vec<_> = grants(&config).into_iter().map(|finding| finding.what).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().any(|what| what == "[grants.a] run names `/no/program`, which is not there"), "{found:?}");
    }

    #[test]
    fn rules_that_let_nobody_in_are_told() {
        let with = |text: &str| {
            let config: MinionConfig = crate::config::parse(text, Path::new("minion.toml")).unwrap();
            rules(&config).len()
        };
        assert_eq!((with(""), with("[[access]]\ndeny = \"*\"\n"), with("[[access]]\nallow = \"a.b\"\n")), (0, 1, 0));
    }
}
