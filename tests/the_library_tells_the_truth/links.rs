//! Bridges and VLANs are made, told and removed; what takes a program that is missing says so.

use std::{path::Path, process::Command};

use func::wire::Value;
use serde_json::json;

use super::{call, error, rule, text};
use crate::harness::{
    cannot,
    direct::{check, recommended},
    has, secluded,
};

fn ip(args: &str) -> bool {
    Command::new("ip").args(args.split(' ')).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn what_is_no_bridge_or_vlan_is_told_from_one() {
    assert!(call("bridge.list", &[]).await.is_array());
    let (kind, message) = error("bridge.set_up", &[text("no-such-bridge"), Value::Bool(true)]).await;
    let said = "there is no bridge `no-such-bridge` (hint: list them with `bridge.list`)";
    assert_eq!((kind.as_str(), message.as_str()), ("not_found", said));
    assert_eq!(error("bridge.add", &[text("lo")]).await.0, "already_exists");
    assert_eq!(error("bridge.delete", &[text("lo")]).await.0, "invalid");
    assert!(call("vlan.list", &[]).await.is_array());
    assert_eq!(error("vlan.add", &[text("lo"), Value::Int(4095)]).await.0, "invalid");
    assert_eq!(error("vlan.add", &[text("no-such"), Value::Int(7)]).await.0, "not_found");
    assert_eq!(error("vlan.delete", &[text("lo")]).await.0, "invalid");
}

#[tokio::test]
async fn a_bridge_lives_from_add_to_delete() {
    const TEST: &str = "a_bridge_lives_from_add_to_delete";
    if !has(TEST, &["ip"]) || !secluded(module_path!(), TEST) {
        return;
    }
    if !ip("link add p0 type veth peer name p1") || !ip("link add probe type bridge") {
        return cannot(TEST, "the kernel makes no bridges");
    }
    ip("link delete dev probe");
    let own = [text("br0")];
    let would = check("bridge.add", &own, recommended("bridge")).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!(null)));
    assert_eq!(call("bridge.list", &[]).await, json!([]));
    let made = call("bridge.add", &own).await;
    assert_eq!((&made["after"]["name"], &made["after"]["ports"]), (&json!("br0"), &json!([])));
    assert_eq!(call("bridge.add", &own).await["changed"], false);
    assert_eq!(call("bridge.set_up", &[text("br0"), Value::Bool(true)]).await["changed"], true);
    assert_eq!(call("bridge.set_up", &[text("br0"), Value::Bool(true)]).await["changed"], false);

    let port = |bridge: &str| [text(bridge), text("p0")];
    assert_eq!(error("bridge.add_port", &[text("br0"), text("no-such")]).await.0, "not_found");
    assert_eq!(call("bridge.remove_port", &port("br0")).await["changed"], false);
    let joined = call("bridge.add_port", &port("br0")).await;
    assert_eq!((&joined["before"]["ports"], &joined["after"]["ports"]), (&json!([]), &json!(["p0"])));
    assert_eq!(call("bridge.add_port", &port("br0")).await["changed"], false);
    call("bridge.add", &[text("br1")]).await;
    let (kind, message) = error("bridge.add_port", &port("br1")).await;
    assert!(kind == "busy" && message.contains("is in `br0`"), "{kind}: {message}");
    assert_eq!(call("bridge.remove_port", &port("br0")).await["after"]["ports"], json!([]));

    let names: Vec<_> = call("bridge.list", &[]).await.as_array().unwrap().iter().map(|b| b["name"].clone()).collect();
    assert_eq!(names, ["br0", "br1"]);
    assert_eq!(call("bridge.delete", &own).await["after"], json!(null));
    assert_eq!(call("bridge.delete", &own).await["changed"], false);
}

#[tokio::test]
async fn a_vlan_lives_from_add_to_delete() {
    const TEST: &str = "a_vlan_lives_from_add_to_delete";
    if !has(TEST, &["ip"]) || !secluded(module_path!(), TEST) {
        return;
    }
    if !ip("link add u0 type veth peer name u1") || !ip("link add link u0 name probe type vlan id 9") {
        return cannot(TEST, "the kernel makes no VLANs");
    }
    ip("link delete dev probe");
    let on = [text("u0"), Value::Int(7), text("v7")];
    let would = check("vlan.add", &on, recommended("vlan")).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!(null)));
    let made = call("vlan.add", &on).await;
    assert_eq!((&made["after"]["id"], &made["after"]["device"]), (&json!(7), &json!("u0")));
    assert_eq!(call("vlan.add", &on).await["changed"], false);
    assert_eq!(error("vlan.add", &[text("u0"), Value::Int(8), text("v7")]).await.0, "already_exists");
    assert_eq!(call("vlan.add", &on[..2]).await["after"]["name"], "u0.7");
    assert_eq!(call("vlan.list", &[]).await.as_array().unwrap().len(), 2);
    assert_eq!(call("vlan.delete", &on[2..]).await["changed"], true);
    assert_eq!(call("vlan.delete", &on[2..]).await["changed"], false);
}

#[tokio::test]
async fn a_port_is_closed_and_opened_again() {
    const TEST: &str = "a_port_is_closed_and_opened_again";
    if !has(TEST, &["nft", "ip"]) || !secluded(module_path!(), TEST) {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let is_open = || std::net::TcpStream::connect_timeout(&at, std::time::Duration::from_millis(200)).is_ok();
    let drop = [rule("drop", "tcp", at.port(), None, Some("127.0.0.0/8"))];
    let accept = [rule("accept", "udp", 5000, Some(5010), Some("fd00::/8"))];
    assert_eq!(call("firewall.list", &[]).await, json!([]));
    assert_eq!(call("firewall.remove", &drop).await["changed"], false);
    assert_eq!(call("firewall.clear", &[]).await["changed"], false);
    let would = check("firewall.add", &drop, recommended("firewall")).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!([])));
    assert!(is_open());

    let closed = call("firewall.add", &drop).await;
    assert_eq!((&closed["before"], &closed["after"]), (&json!([]), &json!([drop[0].to_json()])));
    assert!(!is_open());
    assert_eq!(call("firewall.add", &drop).await["changed"], false);
    let would = check("firewall.add", &drop, recommended("firewall")).await.unwrap().to_json();
    assert_eq!(would["changed"], false, "a check looks at the rules that there are");
    call("firewall.add", &accept).await;
    assert_eq!(call("firewall.list", &[]).await, json!([accept[0].to_json(), drop[0].to_json()]));
    let would = check("firewall.remove", &drop, recommended("firewall")).await.unwrap().to_json();
    assert_eq!((&would["changed"], would["before"].as_array().unwrap().len()), (&json!(true), 2));

    assert_eq!(call("firewall.remove", &drop).await["after"], json!([accept[0].to_json()]));
    assert!(is_open());
    assert_eq!(call("firewall.clear", &[]).await["changed"], true);
    assert_eq!(call("firewall.list", &[]).await, json!([]));
}

#[tokio::test]
async fn a_missing_program_is_named() {
    for (program, method, args) in [
        ("nft", "firewall.list", vec![]),
        ("nft", "firewall.add", vec![rule("drop", "tcp", 1, None, None)]),
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
        assert_eq!(
            (kind.as_str(), message),
            ("unsupported", format!("this machine has no program `{program}` (hint: install it there)"))
        );
    }
}
