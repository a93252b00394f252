//! Checks are run and understood; what is dangerous to try is only tried dry.

use std::{fs, os::unix::fs::PermissionsExt};

use func::{plugin::CallError, wire::Value};
use serde_json::json;

use super::{call, error, failure, text};
use crate::harness::{
    direct::{call_set, check, grant, recommended},
    has,
};

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
    assert_eq!((&load["label"], &load["value"], &load["unit"]), (&json!("load1"), &json!(5.1), &json!("none")));
    assert_eq!(load["critical"], json!({"low": 0.0, "high": 10.0, "inside": false}));

    let said = run(&folder, &[text("check_silent")]).await.unwrap().to_json();
    assert_eq!((&said["state"], &said["message"]), (&json!("unknown"), &json!("broken")));
    let args = [text("check_slow"), Value::Array(vec![]), Value::Int(1)];
    let said = run(&folder, &args).await.unwrap().to_json();
    assert_eq!((&said["state"], &said["code"]), (&json!("unknown"), &json!(null)));
    assert_eq!(failure(run(&folder, &[text("check_gone")]).await).0, "not_found");
    assert_eq!(failure(run(&folder, &[text("../../bin/sh")]).await).0, "invalid");
}

/// What a check of the package `monitoring-plugins-basic` says.
async fn installed(check: &str, args: &[&str]) -> serde_json::Value {
    call("nagios.run", &[text(check), Value::Array(args.iter().map(|arg| text(arg)).collect())]).await
}

#[tokio::test]
async fn the_checks_of_a_distribution_are_understood() {
    if !has("the_checks_of_a_distribution_are_understood", &["/usr/lib/nagios/plugins/check_load"]) {
        return;
    }
    let listed = call("nagios.list", &[]).await;
    assert!(listed.as_array().unwrap().contains(&json!("check_load")) && !listed.to_string().contains("utils"));

    for (code, state) in [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown")] {
        let said = installed("check_dummy", &[&code.to_string(), "hello|'a b'=7;~:5;@8:9"]).await;
        assert_eq!((&said["state"], &said["code"]), (&json!(state), &json!(code)), "{said}");
        assert_eq!(said["message"], format!("{}: hello", state.to_uppercase()));
        let measured = json!({
            "label": "a b", "value": 7.0, "unit": "none", "min": null, "max": null,
            "warning": {"low": null, "high": 5.0, "inside": false},
            "critical": {"low": 8.0, "high": 9.0, "inside": true},
        });
        assert_eq!(said["performance"], json!([measured]));
    }

    // Long output, behind the measurements.
    let said = installed("check_load", &["-w", "5000,4000,3000", "-c", "9000,8000,7000", "-n", "2"]).await;
    let load = &said["performance"];
    assert_eq!((&said["state"], load.as_array().unwrap().len()), (&json!("ok"), 3), "{said}");
    assert_eq!((&load[2]["label"], &load[2]["min"]), (&json!("load15"), &json!(0.0)));
    assert_eq!(load[2]["warning"], json!({"low": 0.0, "high": 3000.0, "inside": false}));
    assert!(said["details"][0].as_str().unwrap().starts_with("STAT"), "{said}");

    let said = installed("check_procs", &["-w", "100000:200000"]).await;
    assert_eq!((&said["state"], &said["code"]), (&json!("warning"), &json!(1)), "{said}");
    assert_eq!(said["performance"][0]["warning"], json!({"low": 100_000.0, "high": 200_000.0, "inside": false}));

    let said = installed("check_disk", &["-w", "1%", "-c", "0%", "-p", "/"]).await;
    let root = &said["performance"][0];
    assert_eq!((&root["label"], &root["unit"]), (&json!("/"), &json!("bytes")), "{said}");
    assert!(root["value"].as_f64() > Some(1e6) && root["max"].as_f64() > root["value"].as_f64(), "{said}");

    // Each of them complains in a way of its own.
    let said = installed("check_tcp", &["-H", "127.0.0.1", "-p", "1"]).await;
    assert_eq!((&said["state"], &said["performance"]), (&json!("critical"), &json!([])), "{said}");
    assert!(said["message"].as_str().unwrap().contains("Connection refused"), "{said}");
    for (check, args) in [("check_users", &[][..]), ("check_load", &["-w", "many"])] {
        let said = installed(check, args).await;
        assert!(said["state"] == "unknown" && said["code"] == 3 && said["message"] != "", "{said}");
    }
    let (kind, message) = error("nagios.run", &[text("check_no_such")]).await;
    assert!(kind == "not_found" && message.starts_with("there is no check `check_no_such`"), "{kind}: {message}");
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
