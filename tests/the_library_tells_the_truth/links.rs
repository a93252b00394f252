//! Bridges and VLANs are made, told and removed; what takes a program that is missing says so.

use std::{path::Path, process::Command};

use func::wire::Value;
use serde_json::json;

use super::{call, error, failure, text};
use crate::harness::direct::{call_granted, check, recommended};

/// A name that no other test, and no other run, uses.
fn name(letter: char) -> String {
    format!("ft{letter}{}", std::process::id())
}

/// Whether interfaces of a kind can be made here, which takes root and the kernel's help.
fn can_make(kind: &str, more: &[&str]) -> bool {
    let name = name('x');
    let ip = |args: &[&str]| Command::new("ip").args(args).output().is_ok_and(|output| output.status.success());
    ip(&[&["link", "add", "name", &name, "type", kind], more].concat()) && ip(&["link", "delete", "dev", &name])
}

#[tokio::test]
async fn a_bridge_lives_from_add_to_delete() {
    assert!(call("bridge.list", &[]).await.is_array());
    let (kind, message) = error("bridge.set_up", &[text("no-such-bridge"), Value::Bool(true)]).await;
    assert_eq!((kind.as_str(), message.as_str()), ("not_found", "there is no bridge `no-such-bridge`"));
    assert_eq!(error("bridge.add", &[text("lo")]).await.0, "already_exists");
    assert_eq!(error("bridge.delete", &[text("lo")]).await.0, "invalid");
    if !can_make("bridge", &[]) {
        return;
    }
    let bridge = name('b');
    let own = std::slice::from_ref(&bridge).iter().map(|name| text(name)).collect::<Vec<_>>();
    let would = check("bridge.add", &own, recommended("bridge")).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!(null)));
    let made = call("bridge.add", &own).await;
    assert_eq!((&made["after"]["name"], &made["after"]["ports"]), (&json!(bridge), &json!([])));
    assert_eq!(call("bridge.add", &own).await["changed"], false);
    assert_eq!(call("bridge.set_up", &[text(&bridge), Value::Bool(true)]).await["changed"], true);
    assert_eq!(call("bridge.set_up", &[text(&bridge), Value::Bool(true)]).await["changed"], false);
    let no_port = call_granted("bridge.add_port", &[text(&bridge), text("no-such")], recommended("bridge")).await;
    assert_eq!(failure(no_port).0, "not_found");
    assert_eq!(call("bridge.remove_port", &[text(&bridge), text("lo")]).await["changed"], false);
    assert!(call("bridge.list", &[]).await.as_array().unwrap().iter().any(|told| told["name"] == bridge.as_str()));
    assert_eq!(call("bridge.delete", &own).await["after"], json!(null));
    assert_eq!(call("bridge.delete", &own).await["changed"], false);
}

#[tokio::test]
async fn a_vlan_lives_from_add_to_delete() {
    assert!(call("vlan.list", &[]).await.is_array());
    assert_eq!(error("vlan.add", &[text("lo"), Value::Int(4095)]).await.0, "invalid");
    assert_eq!(error("vlan.add", &[text("no-such"), Value::Int(7)]).await.0, "not_found");
    assert_eq!(error("vlan.delete", &[text("lo")]).await.0, "invalid");
    // On a bridge of our own, so that no interface that somebody uses is touched.
    if !can_make("bridge", &[]) {
        return;
    }
    let under = name('u');
    call("bridge.add", &[text(&under)]).await;
    let on = [text(&under), Value::Int(7), text(&name('v'))];
    let made = call_granted("vlan.add", &on, recommended("vlan")).await;
    if let Ok(made) = made {
        let made = made.to_json();
        assert_eq!((&made["after"]["id"], &made["after"]["device"]), (&json!(7), &json!(under)));
        assert_eq!(call("vlan.add", &on).await["changed"], false);
        let other = [text(&under), Value::Int(8), text(&name('v'))];
        assert_eq!(error("vlan.add", &other).await.0, "already_exists");
        assert_eq!(call("vlan.delete", &on[2..]).await["changed"], true);
        assert_eq!(call("vlan.delete", &on[2..]).await["changed"], false);
    }
    call("bridge.delete", &[text(&under)]).await;
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let rule = json!({"verdict": "drop", "transport": "tcp", "port": 1});
    let rule = Value::Struct(
        rule.as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().map_or(Value::Int(1), text)))
            .collect(),
    );
    for (program, method, args) in [
        ("nft", "firewall.list", vec![]),
        ("nft", "firewall.add", vec![rule]),
        ("virsh", "virt.list", vec![]),
        ("virsh", "virt.start", vec![text("web")]),
        ("smartctl", "smart.devices", vec![]),
        ("smartctl", "smart.info", vec![text("/dev/sda")]),
        ("apachectl", "httpd.check_config", vec![]),
        ("apachectl", "httpd.graceful", vec![]),
    ] {
        if ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists()) {
            continue;
        }
        let (kind, message) = error(method, &args).await;
        assert_eq!((kind.as_str(), message), ("unsupported", format!("this machine has no program `{program}`")));
    }
}
