//! Checks are run and understood; what is dangerous to try is only tried dry.

use std::{fs, os::unix::fs::PermissionsExt};

use func::{plugin::CallError, wire::Value};
use serde_json::json;

use super::{call, failure, text};
use crate::harness::direct::{call_set, check, grant, recommended};

fn checks() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [
        ("check_load", "#!/bin/sh\necho \"WARNING - load $1|load1=5.1;5;10;0;\"\necho more\nexit 1\n"),
        ("check_silent", "#!/bin/sh\necho broken >&2\nexit 3\n"),
        ("check_slow", "#!/bin/sh\nexec sleep 20\n"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

async fn run(folder: &tempfile::TempDir, args: &[Value]) -> Result<Value, CallError> {
    let path = folder.path().canonicalize().unwrap();
    let path = path.to_str().unwrap();
    let grant = grant(&format!("run = [\"{path}/check_*\"]\nread = [\"{path}\"]"));
    let method = if args.is_empty() { "nagios.list" } else { "nagios.run" };
    call_set(method, args, grant, ("folder", path)).await
}

#[tokio::test]
async fn a_check_is_a_state_a_message_and_measurements() {
    let folder = checks();
    assert_eq!(run(&folder, &[]).await.unwrap().to_json(), json!(["check_load", "check_silent", "check_slow"]));
    let args = [text("check_load"), Value::Array(vec![text("-w $(id)")])];
    let said = run(&folder, &args).await.unwrap().to_json();
    assert_eq!((&said["state"], &said["code"]), (&json!("warning"), &json!(1)));
    assert_eq!((&said["message"], &said["details"]), (&json!("WARNING - load -w $(id)"), &json!(["more"])));
    let load = &said["performance"][0];
    assert_eq!((&load["label"], &load["value"], &load["critical"]), (&json!("load1"), &json!(5.1), &json!("10")));

    let said = run(&folder, &[text("check_silent")]).await.unwrap().to_json();
    assert_eq!((&said["state"], &said["message"]), (&json!("unknown"), &json!("broken")));
    let args = [text("check_slow"), Value::Array(vec![]), Value::Int(1)];
    let said = run(&folder, &args).await.unwrap().to_json();
    assert_eq!((&said["state"], &said["code"]), (&json!("unknown"), &json!(null)));
    assert_eq!(failure(run(&folder, &[text("check_gone")]).await).0, "not_found");
    assert_eq!(failure(run(&folder, &[text("../../bin/sh")]).await).0, "invalid");
}

#[tokio::test]
async fn a_check_does_not_restart_the_machine() {
    if !std::path::Path::new("/usr/sbin/shutdown").exists() {
        return;
    }
    let would = check("reboot.reboot", &[Value::Int(5), text("for a new kernel")], recommended("reboot"))
        .await
        .unwrap()
        .to_json();
    assert_eq!((&would["changed"], &would["before"]), (&json!(true), &would["after"]));
    assert_eq!(failure(check("reboot.power_off", &[Value::Int(100_000)], recommended("reboot")).await).0, "invalid");
    let planned = call("reboot.planned", &[]).await;
    assert!(planned.is_null() || planned["mode"].is_string());
}
