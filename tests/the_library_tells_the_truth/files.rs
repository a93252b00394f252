//! Files that are tracked are told as they are.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::Path,
};

use func::{access::Grant, wire::Value};
use serde_json::{Value as Json, json};

use super::text;
use crate::harness::direct::{call_set, grant};

struct Watched(tempfile::TempDir);

impl Watched {
    async fn call(&self, method: &str, args: &[Value]) -> Json {
        let state = self.path("state");
        call_set(method, args, self.grant(), ("folder", &state)).await.unwrap().to_json()
    }

    fn path(&self, name: &str) -> String {
        self.0.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned()
    }

    fn grant(&self) -> Grant {
        let files = self.path("files");
        grant(&format!("read = [\"{}/**\", \"{files}/**\"]\nwrite = [\"{0}/**\"]", self.path("state")))
    }
}

#[tokio::test]
async fn tracked_files_are_told_with_their_digests() {
    let watched = Watched(tempfile::tempdir().unwrap());
    fs::create_dir(watched.path("files")).unwrap();
    fs::write(watched.path("files/a.conf"), "abc").unwrap();
    fs::set_permissions(watched.path("files/a.conf"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(watched.path("files/big.conf"), vec![b'a'; 1_000_000]).unwrap();
    std::os::unix::fs::symlink("a.conf", watched.path("files/link")).unwrap();
    let paths = ["files/*.conf", "files/link", "files/gone"].map(|name| text(&watched.path(name)));
    let tracked = watched.call("filetracker.track", &[Value::Array(paths.to_vec())]).await;
    assert_eq!((&tracked["changed"], tracked["after"].as_array().unwrap().len()), (&json!(true), 3));
    assert_eq!(watched.call("filetracker.track", &[Value::Array(paths.to_vec())]).await["changed"], false);

    let report = watched.call("filetracker.inventory", &[]).await;
    let files = report["files"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    assert_eq!((&files[0]["mode"], &files[0]["size"]), (&json!("0640"), &json!(3)));
    assert_eq!(files[0]["digest"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(files[1]["digest"], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_eq!((&files[2]["kind"], &files[2]["target"]), (&json!("symlink"), &json!("a.conf")));
    assert_eq!(report["missing"], json!([watched.path("files/gone")]));

    let outside = watched.call("filetracker.track", &[Value::Array(vec![text("/etc/passwd")])]).await;
    assert_eq!(outside["changed"], true);
    let report = watched.call("filetracker.inventory", &[Value::Bool(false)]).await;
    assert!(report["unreadable"]["/etc/passwd"].as_str().unwrap().contains("may not read"), "{report}");
    assert_eq!(report["files"][0]["digest"], json!(null));
    let untracked = watched.call("filetracker.untrack", &[Value::Array(paths.to_vec())]).await;
    assert_eq!(untracked["after"], json!(["/etc/passwd"]));
    assert_eq!(watched.call("filetracker.tracked", &[]).await, json!(["/etc/passwd"]));
}

#[tokio::test]
async fn a_file_whose_name_is_not_utf_8_is_told_of() {
    let watched = Watched(tempfile::tempdir().unwrap());
    let files = watched.path("files");
    fs::create_dir(&files).unwrap();
    fs::write(watched.path("files/a.conf"), "abc").unwrap();
    fs::write(Path::new(&files).join(OsStr::from_bytes(b"b\xff.conf")), "abc").unwrap();
    watched.call("filetracker.track", &[Value::Array(vec![text(&format!("{files}/*.conf"))])]).await;
    let report = watched.call("filetracker.inventory", &[]).await;
    assert_eq!(report["files"].as_array().unwrap().len(), 1);
    assert_eq!(report["unreadable"], json!({ format!("{files}/b\u{fffd}.conf"): "its name is not UTF-8" }));
}
