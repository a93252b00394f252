//! Whether a module asks for what it uses, and for no more.

use super::Finding;
use crate::{
    access::{CommandGrant, Grant, NetworkGrant, PathGrant, ServiceGrant, SignalGrant, VariableGrant},
    author::uses::Use,
    plugin::{MANIFEST_SECTION, Manifest, Right},
};

/// Where an author says it.
const TABLE: &str = "`[package.metadata.func.asks]` in Cargo.toml, or `[asks]` in module.toml";

pub(super) fn check(manifest: Option<&Manifest>, uses: &[Use]) -> Vec<Finding> {
    let Some(manifest) = manifest else {
        let message = format!("it has no readable section `{MANIFEST_SECTION}`, so nobody knows what it asks for");
        return vec![Finding::warning("component", message, "build it with `func module build`")];
    };
    let mut findings = Vec::new();
    for right in Right::ALL {
        let asked = texts(&manifest.asks, right);
        let proof = uses.iter().find(|found| found.right == Some(right));
        let chosen = manifest.operator_chooses.contains(&right);
        // Who may change a service may look at it.
        let covered = right == Right::ServicesRead && !manifest.asks.services.is_empty();
        for text in &asked {
            // Whoever says that the operator chooses may name the most that there is to choose from.
            let most =
                chosen && matches!(right, Right::Services | Right::ServicesRead | Right::Signal | Right::Network);
            if let Some(why) = broad(right, text).filter(|_| !most) {
                let advice = format!("ask for just what it needs, in {TABLE}");
                findings.push(Finding::warning(format!("asks: {right} {text}"), why, advice));
            }
        }
        match proof {
            Some(proof) if asked.is_empty() && !chosen && !covered => {
                let by: Vec<&str> = proof.by.iter().filter_map(|name| name.rsplit('#').next()).collect();
                let message = format!("it {} ({}) and asks for none", proof.what, by.join(", "));
                let advice = format!(
                    "name them under `{right}` in {TABLE}; if only the operator can know them, \
                                      say `operator-chooses = [\"{right}\"]` in `[package.metadata.func]`, or at the top of module.toml"
                );
                findings.push(Finding::warning(format!("asks: {right}"), message, advice));
            }
            None if !asked.is_empty() || chosen => {
                let message = format!("it imports nothing that needs the grant `{right}`");
                findings.push(Finding::warning(format!("asks: {right}"), message, format!("remove it from {TABLE}")));
            }
            _ => {}
        }
    }
    findings.extend(variables(manifest));
    findings
}

fn texts(asks: &Grant, right: Right) -> Vec<&str> {
    match right {
        Right::Run => asks.run.iter().map(CommandGrant::as_str).collect(),
        Right::Read => asks.read.iter().map(PathGrant::as_str).collect(),
        Right::Write => asks.write.iter().map(PathGrant::as_str).collect(),
        Right::Services => asks.services.iter().map(ServiceGrant::as_str).collect(),
        Right::ServicesRead => asks.services_read.iter().map(ServiceGrant::as_str).collect(),
        Right::Signal => asks.signal.iter().map(SignalGrant::as_str).collect(),
        Right::Network => asks.network.iter().map(NetworkGrant::as_str).collect(),
    }
}

/// Programs that run whatever they are told, so that whoever may run them may run everything.
const RUN_ANYTHING: [&str; 17] = [
    "ash", "bash", "busybox", "dash", "env", "find", "nohup", "perl", "python", "python3", "ruby", "sh", "su", "sudo",
    "xargs", "zsh", "nsenter",
];

/// Folders whose files, all of them, no module needs.
const WHOLE: [&str; 14] = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/srv", "/tmp", "/usr", "/var",
];

/// Why an ask is for more than a module can need.
fn broad(right: Right, text: &str) -> Option<&'static str> {
    match right {
        Right::Run => {
            let name = text.rsplit('/').next().unwrap_or(text);
            if RUN_ANYTHING.contains(&name) {
                Some("it runs whatever it is told, so this asks for every program")
            } else if name.trim_matches('*').is_empty() {
                Some("it asks for every program there")
            } else {
                None
            }
        }
        Right::Read | Right::Write => {
            let mut parts = text.trim_start_matches('/').split('/');
            let first = parts.next().unwrap_or_default();
            if first.contains(['*', '?', '[', '{']) {
                return Some("it asks for files in every folder of the machine");
            }
            let rest: Vec<&str> = parts.collect();
            let everything = rest.first() == Some(&"**") || (right == Right::Write && rest == ["*"]);
            let whole = WHOLE.iter().any(|folder| folder[1..] == *first);
            (whole && everything).then_some("it asks for all that is in a folder of the system")
        }
        Right::Services | Right::ServicesRead => {
            text.trim_matches('*').is_empty().then_some("it asks for every service of the machine")
        }
        Right::Signal => {
            let name = text.strip_prefix("user:").unwrap_or(text);
            match name {
                "root" if text != name => Some("it asks for every process of root"),
                name if name.trim_matches('*').is_empty() => Some("it asks for every process of the machine"),
                _ => None,
            }
        }
        Right::Network => broad_network(text),
    }
}

/// The fewest bits of a network that one organisation has.
const FEWEST_BITS: u8 = 8;

fn broad_network(text: &str) -> Option<&'static str> {
    let (host, _) = text.rsplit_once(':')?;
    let bits = host.trim_matches(['[', ']']).rsplit_once('/').and_then(|(_, bits)| bits.parse::<u8>().ok());
    let below = host.strip_prefix("*.");
    if bits == Some(0) {
        Some("it asks for every host there is")
    } else if bits.is_some_and(|bits| bits < FEWEST_BITS) {
        Some("it asks for a large part of all hosts")
    } else if below.is_some_and(|name| !name.contains('.') && name != "localhost") {
        Some("it asks for every host of a top-level domain")
    } else {
        None
    }
}

/// Variables that say where programs look for their configuration, which may name other programs.
const WHERE_CONFIGURED: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS"];

fn variables(manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names: Vec<&str> = manifest.asks.env.iter().map(VariableGrant::as_str).collect();
    for name in names.iter().filter(|name| WHERE_CONFIGURED.contains(*name)) {
        let message = "programs take their configuration from where it points, and with it what to run";
        findings.push(Finding::warning(format!("asks: env {name}"), message, format!("remove it from {TABLE}")));
    }
    let runs = !manifest.asks.run.is_empty() || manifest.operator_chooses.contains(&Right::Run);
    if !names.is_empty() && !runs {
        let message = "it asks for variables, and for no program to set them for";
        findings.push(Finding::warning("asks: env", message, format!("remove them from {TABLE}, or name the program")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(asks: &str) -> Manifest {
        toml::from_str(asks).unwrap()
    }

    fn uses(right: Right) -> Vec<Use> {
        vec![Use { what: "reads files", right: Some(right), by: vec!["minion:host/files@0.1.0#read".to_owned()] }]
    }

    fn places(asks: &str, uses: &[Use]) -> Vec<String> {
        check(Some(&manifest(asks)), uses).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn asks_that_are_used_and_narrow_are_fine() {
        assert!(
            places("asks = { read = ['/etc/os-release', '/proc/*/status', '/sys/block/**'] }", &uses(Right::Read))
                .is_empty()
        );
        assert!(places("asks = { run = ['kill', '/usr/sbin/ethtool', 'apt-*'] }", &uses(Right::Run)).is_empty());
        assert!(places("operator-chooses = ['run']", &uses(Right::Run)).is_empty());
        assert!(places("", &[]).is_empty());
    }

    #[test]
    fn what_is_used_and_not_asked_for_or_the_other_way_round_is_told() {
        assert_eq!(places("", &uses(Right::Read)), ["asks: read"]);
        assert_eq!(places("asks = { run = ['df'] }", &[]), ["asks: run"]);
        assert_eq!(places("operator-chooses = ['run']", &[]), ["asks: run"]);
        assert_eq!(places("asks = { read = ['/etc/a'] }", &uses(Right::Write)), ["asks: read", "asks: write"]);
        assert_eq!(check(None, &[]).len(), 1);
    }

    #[test]
    fn an_ask_for_everything_is_told() {
        for text in ["/**", "/*", "/*/x", "/etc/**", "/proc/**", "/{etc,usr}/x"] {
            assert!(broad(Right::Read, text).is_some(), "{text}");
            assert!(broad(Right::Write, text).is_some(), "{text}");
        }
        for text in ["/etc/*", "/usr/*"] {
            assert!(broad(Right::Write, text).is_some() && broad(Right::Read, text).is_none(), "{text}");
        }
        for text in ["*", "/usr/bin/*", "/**", "sh", "/usr/bin/env", "sudo"] {
            assert!(broad(Right::Run, text).is_some(), "{text}");
        }
        for text in ["/etc/sysctl.d/*", "/proc/sys/net/**", "/data/**"] {
            assert!(broad(Right::Write, text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_ask_for_every_service_process_or_host_is_told() {
        let told = |right, broad_ones: &[&str], narrow: &[&str]| {
            for text in broad_ones {
                assert!(broad(right, text).is_some(), "{right}: {text}");
            }
            for text in narrow {
                assert_eq!(broad(right, text), None, "{right}: {text}");
            }
        };
        for right in [Right::Services, Right::ServicesRead] {
            told(right, &["*", "**"], &["nginx", "app@*", "*.timer"]);
        }
        told(Right::Signal, &["*", "user:*", "user:root"], &["nginx", "java*", "user:www-data"]);
        let networks = ["0.0.0.0/0:*", "0.0.0.0/0:443", "[::/0]:*", "0.0.0.0/1:22", "*.com:443"];
        told(
            Right::Network,
            &networks,
            &["10.0.0.0/8:*", "db1.example.org:5432", "*.example.org:443", "[fd00::/8]:443"],
        );
    }

    #[test]
    fn variables_without_a_program_and_those_that_point_to_configuration_are_told() {
        let run = uses(Right::Run);
        assert_eq!(places("asks = { run = ['df'], env = ['LC_ALL'] }", &run), Vec::<String>::new());
        assert_eq!(places("asks = { run = ['df'], env = ['HOME'] }", &run), ["asks: env HOME"]);
        assert_eq!(places("asks = { env = ['LC_ALL'] }", &[]), ["asks: env"]);
    }
}
