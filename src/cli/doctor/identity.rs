//! Certificates, and who may read and write what.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::Finding;
use crate::ca::{Authority, Entry, Inventory, Stage};
use crate::cli::render;
use crate::ids::HostName;
use crate::telemetry::chain;
use crate::{
    cli::context::Context,
    config::Home,
    tls::{CA_FILE, Identity, KEY_FILE, Peer},
};

const CERTIFICATES: &str = "identity";
const MODES: &str = "modes";
/// An end that is nearer is told of.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The same of an authority: what it signs can last no longer than itself.
const SOON_FOR_AUTHORITY: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The identity in a folder.
pub(super) fn certificates(folder: &Path) -> Vec<Finding> {
    let todo = "put there what `func ca issue` wrote for this machine, or on an overlord run `func ca init`";
    match Identity::in_folder(folder) {
        Err(error) => vec![Finding::wrong(CERTIFICATES, chain(&error), todo)],
        Ok(identity) => of(&identity, &folder.join(CA_FILE)),
    }
}

/// An identity and its authority's certificate.
pub(super) fn of(identity: &Identity, authority: &Path) -> Vec<Finding> {
    let (peer, now) = (identity.peer(), Timestamp::now());
    let mut findings = Vec::new();
    if let Err(error) = peer.check(now, identity.revoked()) {
        let todo = if now < peer.not_before {
            "set this machine's clock"
        } else {
            "have a new certificate issued for this name: `func ca issue` on the overlord"
        };
        findings.push(Finding::wrong(CERTIFICATES, chain(&error), todo));
    } else {
        let what = format!("the certificate of `{}`", peer.name);
        findings.extend(ending(&what, peer, SOON, now, "have it renewed"));
    }
    match CertificateDer::from_pem_file(authority).ok().and_then(|der| Peer::from_certificate(&der).ok()) {
        None => {
            let what = format!("the authority's certificate `{}` cannot be read", authority.display());
            findings.push(Finding::wrong(CERTIFICATES, what, "put there the `ca.pem` of the authority"));
        }
        Some(ca) if now > ca.not_after => {
            let what = format!("the authority's certificate has ended on {}", ca.not_after);
            findings.push(Finding::wrong(
                CERTIFICATES,
                what,
                "make a new authority and issue everybody's certificates anew",
            ));
        }
        Some(ca) => {
            let todo = "put another in its place, where the authority is: `func ca rotate`";
            findings.extend(ending("the authority's certificate", &ca, SOON_FOR_AUTHORITY, now, todo));
        }
    }
    findings
}

fn ending(what: &str, peer: &Peer, soon: SignedDuration, now: Timestamp, todo: &str) -> Option<Finding> {
    let left = peer.not_after.duration_since(now);
    let what = format!("{what} ends on {}, in {} days", peer.not_after, left.as_hours() / 24);
    (left < soon).then(|| Finding::note(CERTIFICATES, what, todo))
}

/// Minions whose certificates end soon, as the authority on this machine knows them, and our own if it cannot renew itself.
pub(super) fn issued(home: &Home) -> Vec<Finding> {
    let Ok(authority) = Authority::open(&home.authority()) else { return Vec::new() };
    let (issued, revoked) = (authority.issued().unwrap_or_default(), authority.revoked().unwrap_or_default());
    let (hosts, now) = (Inventory::load(&home.inventory()).unwrap_or_default().hosts(), Timestamp::now());
    let last = |host: &crate::ca::Host| {
        let own = |entry: &&Entry| {
            entry.name == host.name && !revoked.contains(&entry.serial) && authority.is_believed(entry)
        };
        issued.iter().filter(own).max_by_key(|entry| entry.issued)
    };
    let soon = |entry: &&Entry| entry.not_after.duration_since(now) < SOON;
    let told = |entry: &Entry| {
        let (name, until) = (&entry.name, entry.not_after);
        if until < now {
            let what = format!("the certificate of `{name}` has ended on {until}");
            Finding::wrong(CERTIFICATES, what, format!("let it join again: `func ca token --for {name}`"))
        } else {
            let what = format!("the certificate of `{name}` ends on {until}");
            Finding::note(CERTIFICATES, what, "run `func ca renew`, and once a day from now on")
        }
    };
    let mut findings: Vec<Finding> = hosts.iter().filter_map(last).filter(soon).map(told).collect();
    findings.extend(rotating(&authority, &hosts));
    if authority.is_sealed() && crate::ca::own_is_due(&home.identity()) {
        let what = "this machine's own certificate is due, and the authority's key is sealed: it does not renew itself";
        findings.push(Finding::note(CERTIFICATES, what, "run `func ca renew`, which asks for the passphrase"));
    }
    findings
}

/// A rotation that is not finished, and whom it waits for.
fn rotating(authority: &Authority, hosts: &[crate::ca::Host]) -> Option<Finding> {
    let rotation = authority.rotation().filter(|rotation| rotation.is_open())?;
    let hosts: Vec<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
    let (left, todo) = match rotation.stage {
        Stage::Switched => {
            let left = authority.stragglers(&hosts).unwrap_or_default();
            (left.into_iter().map(|left| left.name).collect(), "func ca rotate --finish")
        }
        _ => (authority.not_told(&hosts).unwrap_or_default(), "func ca rotate"),
    };
    let since = format!("the authority is being replaced since {:.0} ({})", rotation.began, rotation.stage.word());
    Some(if left.is_empty() {
        Finding::note(CERTIFICATES, since, format!("run `{todo}`"))
    } else {
        let what = format!("{since}, and waits for {}", render::compress(&left));
        Finding::note(CERTIFICATES, what, "run `func ca rotate`; `func ca rotate --status` says more")
    })
}

/// Keys that others may read, and files and folders that others may write.
pub(super) fn modes(context: &Context) -> Vec<Finding> {
    let home = &context.home;
    let keys = [home.identity().join(KEY_FILE), home.authority().join("ca-key.pem"), home.author_key()];
    let keys = keys.into_iter().chain(keys_in(&home.authority()));
    let mut findings: Vec<Finding> = keys.filter_map(|key| private(&key)).collect();
    findings.extend(guarded(home).iter().filter_map(|path| unwritable(path)));
    findings.dedup();
    findings
}

fn keys_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let key = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains("key"));
    entries.map(|entry| entry.path()).filter(key).collect()
}

fn guarded(home: &Home) -> Vec<PathBuf> {
    let mut paths = vec![home.state().to_owned(), home.config().to_owned(), home.minion_toml(), home.identity()];
    paths.extend([home.authority(), home.inventory(), home.groups(), home.store()]);
    paths
}

/// A file that its owner alone should read.
pub(super) fn private(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o7777;
    let shown = path.display();
    let what = format!("`{shown}` may be read by others (mode {mode:04o})");
    (mode & 0o077 != 0).then(|| Finding::wrong(MODES, what, format!("run `chmod 600 {shown}`")))
}

/// What nobody but its owner should write to.
pub(super) fn unwritable(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o7777;
    let shown = path.display();
    let what = format!("`{shown}` may be written to by others (mode {mode:04o})");
    (mode & 0o022 != 0).then(|| Finding::wrong(MODES, what, format!("run `chmod go-w {shown}`")))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;
    use crate::{
        ca::{Authority, IssueRequest},
        tls::Role,
    };

    #[test]
    fn a_certificate_is_told_of_before_it_ends_and_after() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::in_memory("Func CA").unwrap();
        let found = |days: u32, age: i64| {
            let begun = time::OffsetDateTime::now_utc() - time::Duration::days(age);
            let request = IssueRequest {
                days,
                not_before: Some(begun),
                ..IssueRequest::new("web1".parse().unwrap(), Role::Minion)
            };
            authority.issue(&request).unwrap().save(folder.path()).unwrap();
            certificates(folder.path()).into_iter().map(|finding| (finding.wrong, finding.what)).collect::<Vec<_>>()
        };
        assert_eq!(found(365, 0), []);
        assert!(matches!(&found(10, 0)[..], [(false, what)] if what.contains("`web1` ends on")));
        assert!(matches!(&found(10, 20)[..], [(true, what)] if what.contains("expired")));
        fs::write(folder.path().join(KEY_FILE), "junk").unwrap();
        assert!(matches!(&found_again(folder.path())[..], [(true, what)] if what.contains("key.pem")));
    }

    fn found_again(folder: &Path) -> Vec<(bool, String)> {
        certificates(folder).into_iter().map(|finding| (finding.wrong, finding.what)).collect()
    }

    #[test]
    fn what_others_may_read_or_write_is_told_with_what_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        fs::write(&key, "").unwrap();
        let with = |mode: u32, check: fn(&Path) -> Option<Finding>| {
            fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
            check(&key).map(|finding| finding.todo)
        };
        assert_eq!((with(0o600, private), with(0o644, unwritable)), (None, None));
        assert_eq!(with(0o640, private), Some(format!("run `chmod 600 {}`", key.display())));
        assert_eq!(with(0o664, unwritable), Some(format!("run `chmod go-w {}`", key.display())));
    }
}
