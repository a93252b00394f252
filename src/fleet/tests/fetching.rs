//! Files from hosts that are not honest.

use std::{path::Path, sync::Arc};

use super::server::{Behaviour, Reaction, authority, fleet, serve};
use crate::{
    fleet::{FleetOptions, Outcome, Request},
    ids::Digest,
    wire::{Answer, Value},
};

fn entry(path: &str, size: i64, digest: &str) -> Value {
    Value::structure([
        ("path", Value::from(path)),
        ("folder", Value::Bool(false)),
        ("size", Value::Int(size)),
        ("mode", Value::Int(0o4755)),
        ("digest", format!("sha256:{}", Digest::of(digest.as_bytes())).into()),
    ])
}

/// What comes of fetching `/srv` from a host that lists this one name and sends these bytes for it, and how
/// many files lie in the folder above the host's own.
async fn fetched(name: &'static str, digest: &'static str, bytes: &'static str) -> (Outcome, tempfile::TempDir) {
    let (authority, folder) = (authority(), tempfile::tempdir().unwrap());
    let size = i64::try_from(digest.len()).unwrap();
    let behaviour: Behaviour = Arc::new(move |call, _| match call.method.as_str() {
        "getfile.list" => Reaction::Answer(Answer::Value(vec![entry(name, size, digest)].into())),
        "getfile.offer" => Reaction::Answer(Answer::Value(entry(name, size, digest))),
        _ => Reaction::Raw(206, bytes.into()),
    });
    let server = serve(&authority, "web1", behaviour).await;
    let fleet = fleet(&authority, FleetOptions::default());
    let local = folder.path().join("web1");
    let outcome = fleet.fetch_tree(&server.host, "/srv", &local, &Request::new, &|_| {}).await;
    (outcome, folder)
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test]
async fn what_is_right_lands_below_the_host_s_folder_without_set_user_id_bits() {
    use std::os::unix::fs::PermissionsExt as _;
    let (outcome, folder) = fetched("a", "bytes", "bytes").await;
    assert!(outcome.is_ok(), "{outcome}");
    let place = folder.path().join("web1/srv/a");
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(std::fs::read(place).unwrap(), b"bytes");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    for name in ["../evil", "/evil", "a/../../evil", "..", "a//b"] {
        let (outcome, folder) = fetched(name, "bytes", "bytes").await;
        assert!(matches!(outcome, Outcome::Lost { .. }), "{name}: {outcome}");
        assert_eq!(files(folder.path()), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_digest_take_no_place() {
    for bytes in ["other", "bytes and more, which nobody has asked for"] {
        let (outcome, folder) = fetched("a", "bytes", bytes).await;
        let Outcome::Failed(error) = &outcome else { panic!("{outcome}") };
        assert!(error.message.ends_with("`a`: `/srv/a` changes while it is fetched"), "{error}");
        assert_eq!(files(folder.path()), Vec::<String>::new());
    }
}
