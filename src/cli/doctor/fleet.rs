//! An overlord and its minions.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::ToSocketAddrs as _,
};

use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::Finding;
use crate::telemetry::chain;
use crate::{
    ca::Host,
    cli::{
        context::Context,
        failure::Failure,
        fleet_options::{FleetOptions, everybody, overlord},
    },
    fleet::Outcome,
    ids::HostName,
    overlord::Overlord,
    wire::Value,
};

/// What is looked at.
pub(super) const CHECKS: [&str; 6] = ["store", super::schedules::CHECK, "names", "minions", "clock", "drift"];

/// Clocks may differ by so many seconds.
const SKEW: i64 = 30;

/// Everything; minions are asked only with options for it.
pub(super) fn check(context: &Context, asking: Option<&FleetOptions>) -> Vec<Finding> {
    let overlord = match overlord(context) {
        Ok(overlord) => overlord,
        Err(failure) => return vec![Finding::wrong("identity", failure.to_string(), "run `func ca init`")],
    };
    let mut findings = store(&overlord);
    findings.extend(super::schedules::check(&overlord));
    match overlord.hosts() {
        Err(error) => findings.push(Finding::wrong("names", chain(&error), "mend the file")),
        Ok(hosts) if hosts.is_empty() => {
            let todo = "enrol one: `func ca issue NAME --role minion --address HOST:PORT`";
            findings.push(Finding::note("minions", "there are no minions", todo));
        }
        Ok(hosts) => {
            findings.extend(names(&hosts));
            if let Some(options) = asking {
                findings.extend(minions(&overlord, options));
            }
        }
    }
    findings
}

/// Whether the store can be read, and what was set aside of it.
fn store(overlord: &Overlord) -> Vec<Finding> {
    let todo = "jobs of before are in it; the store that was begun anew knows nothing of them";
    let listed = Context::block_on(async { Ok(overlord.list().await.map(drop)) });
    let mut findings: Vec<Finding> = overlord
        .take_set_aside()
        .iter()
        .map(|aside| Finding::wrong("store", format!("`{}` was set aside: {}", aside.path.display(), aside.why), todo))
        .collect();
    let why = match listed {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&error)),
        Err(failure) => Some(failure.to_string()),
    };
    findings.extend(
        why.map(|why| {
            Finding::wrong("store", why, "see whether another `func` holds it, and whether the disk is full")
        }),
    );
    findings
}

/// Whether the inventory's names can be looked up.
fn names(hosts: &[Host]) -> Vec<Finding> {
    let lookup = |host: &Host| {
        let (name, port) = (host.address.host(), host.address.port());
        let error = (name.as_str(), port).to_socket_addrs().err()?;
        let what = format!("`{name}`, the address of `{}`, cannot be looked up: {error}", host.name);
        let todo = format!("mend the DNS or /etc/hosts, or run `func hosts set {} HOST:PORT`", host.name);
        Some(Finding::wrong("names", what, todo))
    };
    // A name that cannot be looked up takes seconds to say so.
    std::thread::scope(|scope| {
        let parts: Vec<_> = hosts
            .chunks(hosts.len().div_ceil(32).max(1))
            .map(|part| scope.spawn(move || part.iter().filter_map(lookup).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}

/// Who is there, whose clock is wrong, and what they serve.
fn minions(overlord: &Overlord, options: &FleetOptions) -> Vec<Finding> {
    let began = Timestamp::now().as_second();
    let mut findings = Vec::new();
    let clocks = match ask(overlord, options, "system.time") {
        Ok(clocks) => clocks,
        Err(failure) => return vec![Finding::wrong("minions", failure.to_string(), "see the other findings")],
    };
    for (host, arrived, outcome) in &clocks {
        findings.extend(presence(host, outcome));
        findings.extend(clock(host, outcome, began, *arrived));
    }
    let modules = ask(overlord, options, "system.modules").unwrap_or_default();
    findings.extend(drift(&modules));
    findings
}

type Answer = (HostName, i64, Outcome);

fn ask(overlord: &Overlord, options: &FleetOptions, method: &str) -> Result<Vec<Answer>, Failure> {
    let selection = options.select(overlord, &everybody()?)?;
    let method = method.parse().map_err(|error| Failure::new(crate::cli::exit::Exit::Internal, error))?;
    Context::block_on(async {
        let answers = overlord.call(selection, &method, Vec::new(), options.call_options())?;
        let dated = answers.map(|(host, outcome)| (host, Timestamp::now().as_second(), outcome));
        let mut dated: Vec<Answer> = dated.collect().await;
        dated.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(dated)
    })
}

fn presence(host: &HostName, outcome: &Outcome) -> Option<Finding> {
    let what = |what: &str| format!("`{host}` {what}");
    match outcome {
        Outcome::Ok(_) => None,
        Outcome::Failed(error) if error.kind == "NoSuchMethod" => {
            Some(Finding::note("minions", what("is of an older version, which cannot tell its time"), "update it"))
        }
        Outcome::Unreachable { why } => {
            let todo = "start its minion, open its port, or list it in `down`";
            Some(Finding::wrong("minions", what(&format!("cannot be reached: {why}")), todo))
        }
        Outcome::Refused { why } => {
            let todo = "see the rules on its machine: `func acl explain`";
            Some(Finding::wrong("minions", what(&format!("refuses us: {why}")), todo))
        }
        Outcome::Skipped(_) => {
            Some(Finding::note("minions", what("is listed as down"), "take it off the file `down` when it is back"))
        }
        other => {
            let told = other.to_json();
            Some(Finding::wrong("minions", what(&format!("does not answer: {told}")), "see its log"))
        }
    }
}

/// A clock is right if it showed a time between question and answer.
fn clock(host: &HostName, outcome: &Outcome, asked: i64, arrived: i64) -> Option<Finding> {
    let Outcome::Ok(Value::Int(there)) = outcome else { return None };
    let off = if *there < asked - SKEW {
        asked - there
    } else if *there > arrived + SKEW {
        there - arrived
    } else {
        return None;
    };
    let direction = if *there < asked { "behind" } else { "ahead of" };
    let what = format!("the clock of `{host}` is {off} s {direction} this machine's");
    Some(Finding::wrong("clock", what, "have both keep time by NTP: certificates are valid by the clock"))
}

/// Modules of which hosts serve different versions, and those that they do not serve.
fn drift(answers: &[Answer]) -> Vec<Finding> {
    let mut digests: BTreeMap<&str, BTreeMap<&str, Vec<&HostName>>> = BTreeMap::new();
    let mut findings = Vec::new();
    for (host, _, outcome) in answers {
        let Outcome::Ok(Value::Array(entries)) = outcome else { continue };
        for entry in entries {
            let Value::Struct(members) = entry else { continue };
            let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default();
            let name = if text("module").is_empty() { text("file") } else { text("module") };
            if text("state") == "serving" {
                digests.entry(name).or_default().entry(text("digest")).or_default().push(host);
            } else {
                let what = format!("`{host}` does not serve `{name}` ({}): {}", text("state"), text("why"));
                findings.push(Finding::wrong("drift", what, format!("`func modules {host}` tells what it needs")));
            }
        }
    }
    for (module, versions) in digests.iter().filter(|(_, versions)| versions.len() > 1) {
        let fewest = versions.values().min_by_key(|hosts| hosts.len()).map(Vec::as_slice).unwrap_or_default();
        let shown: BTreeSet<String> = fewest.iter().take(5).map(ToString::to_string).collect();
        let more = if fewest.len() > 5 { ", …" } else { "" };
        let hosts = shown.into_iter().collect::<Vec<_>>().join(", ");
        let what = format!("{} versions of `{module}` are served; other than most: {hosts}{more}", versions.len());
        findings.push(Finding::note("drift", what, "`func modules` shows which; `func module push` sends one to all"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostName {
        name.parse().unwrap()
    }

    #[test]
    fn a_clock_is_wrong_only_outside_of_question_and_answer() {
        let at = |there: i64| clock(&host("web1"), &Outcome::Ok(there.into()), 1000, 1060).map(|finding| finding.what);
        assert_eq!((at(1000), at(1090), at(970)), (None, None, None));
        assert_eq!(at(900).unwrap(), "the clock of `web1` is 100 s behind this machine's");
        assert_eq!(at(1160).unwrap(), "the clock of `web1` is 100 s ahead of this machine's");
    }

    #[test]
    fn what_differs_and_what_is_not_served_is_told() {
        let entry = |digest: &str, state: &str| {
            let members = [("module", "disk"), ("digest", digest), ("state", state), ("why", "no signature")];
            Outcome::Ok(Value::Array(vec![Value::structure(members.map(|(key, text)| (key, Value::from(text))))]))
        };
        let answers = [
            (host("web1"), 0, entry("a", "serving")),
            (host("web2"), 0, entry("a", "serving")),
            (host("web3"), 0, entry("b", "serving")),
            (host("web4"), 0, entry("b", "unsigned")),
        ];
        let found = drift(&answers);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].wrong && found[0].what == "`web4` does not serve `disk` (unsigned): no signature");
        assert!(!found[1].wrong && found[1].what.ends_with("other than most: web3"), "{}", found[1].what);
        assert_eq!(drift(&answers[..2]), []);
    }
}
