//! What programs of this machine write is understood: virtual machines, disks, the web server, other hosts.

use std::{fs, net::UdpSocket, os::unix::fs::PermissionsExt, path::Path, process::Command};

use func::{access::Grant, wire::Value};
use serde_json::{Value as Json, json};

use super::{call, error, failure, text};
use crate::harness::{
    direct::{call_granted, call_set, check, check_set, grant, recommended},
    has, secluded, until,
};

/// A hypervisor of libvirt's that has two machines and forgets what was done to them.
const MACHINES: &str = "<node>
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>web: 1</name><memory>2097152</memory><vcpu>2</vcpu><os><type>hvm</type></os><test:runstate>5</test:runstate></domain>
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>db</name><memory>1048576</memory><vcpu>1</vcpu><os><type>hvm</type></os><test:runstate>3</test:runstate></domain>
</node>";

#[tokio::test]
async fn machines_are_those_of_the_hypervisor() {
    if !has("machines_are_those_of_the_hypervisor", &["virsh"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node.xml");
    fs::write(&node, MACHINES).unwrap();
    let uri = format!("test://{}", node.display());
    let call = async |method: &str, args: &[Value]| {
        let set = ("uri", uri.as_str());
        call_set(method, args, grant(r#"run = ["virsh"]"#), set).await.map(|told| told.to_json())
    };
    let list = call("virt.list", &[]).await.unwrap();
    let told: Vec<_> =
        list.as_array().unwrap().iter().map(|m| (&m["name"], &m["state"], &m["cpus"], &m["memory"])).collect();
    assert_eq!(
        told,
        [
            (&json!("db"), &json!("paused"), &json!(1), &json!(1_u64 << 30)),
            (&json!("web: 1"), &json!("off"), &json!(2), &json!(2_u64 << 30)),
        ]
    );
    assert!(
        list[0]["uuid"].as_str().unwrap().len() == 36 && list[0]["persistent"] == true && list[0]["autostart"] == false
    );
    for (method, name, changed) in [
        ("virt.start", "web: 1", true),
        ("virt.start", "db", true),
        ("virt.shutdown", "web: 1", false),
        ("virt.destroy", "web: 1", false),
        ("virt.destroy", "db", true),
    ] {
        let change = call(method, &[text(name)]).await.unwrap();
        assert_eq!((&change["changed"], &change["before"]["name"]), (&json!(changed), &json!(name)), "{method} {name}");
    }
    assert_eq!(call("virt.set_autostart", &[text("db"), Value::Bool(true)]).await.unwrap()["changed"], true);
    assert_eq!(call("virt.set_autostart", &[text("db"), Value::Bool(false)]).await.unwrap()["changed"], false);
    let missing = call_set("virt.info", &[text("no-such")], grant(r#"run = ["virsh"]"#), ("uri", &uri)).await;
    let (kind, message) = failure(missing);
    assert!(kind == "not_found" && message.starts_with("there is no machine `no-such`"), "{kind}: {message}");
    // What is recommended is for the machine's own hypervisor, which is not there, and is enough to learn that.
    if !Path::new("/var/run/libvirt").exists() {
        let (kind, message) = error("virt.list", &[]).await;
        assert!(kind == "failed" && message.starts_with("`virsh` exited with 1: "), "{kind}: {message}");
    }
}

#[tokio::test]
async fn a_check_plans_what_virsh_would_do() {
    if !has("a_check_plans_what_virsh_would_do", &["virsh"]) {
        return;
    }
    let uri = r#"args = ["-q", "-c", "test:///default", "#;
    let granted = format!(
        "run = [{{ program = \"virsh\", {uri} \"dominfo\", \"--domain\", \"*\"], read-only = true }}, \
         {{ program = \"virsh\", {uri} \"shutdown\", \"--domain\", \"*\"] }}]"
    );
    let set = ("uri", "test:///default");
    let would = check_set("virt.shutdown", &[text("test")], grant(&granted), set).await;
    let would = would.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]["state"]), (&json!(true), &json!("running")));
}

#[tokio::test]
async fn disks_are_those_that_smartctl_finds() {
    if !has("disks_are_those_that_smartctl_finds", &["smartctl"]) {
        return;
    }
    let output = Command::new("smartctl").arg("--scan").output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.starts_with('/')).count();
    assert_eq!(call("smart.devices", &[]).await.as_array().unwrap().len(), found);
    assert_eq!(call("smart.all", &[]).await.as_array().unwrap().len(), found);
    let (kind, message) = error("smart.info", &[text("/dev/no-such-disk")]).await;
    assert!(kind == "failed" && message.starts_with("`smartctl` exited with "), "{kind}: {message}");
    let (kind, message) = error("smart.info", &[text("/dev/null")]).await;
    assert!(kind == "failed" && message.contains("/dev/null: Unable to detect device type"), "{kind}: {message}");
}

/// An Apache of our own, which `control` steers.
struct Server(tempfile::TempDir);

impl Server {
    fn new(port: u16) -> Self {
        let server = Self(tempfile::tempdir().unwrap());
        let folder = server.path();
        let configuration = format!(
            "ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {folder}/pid\nErrorLog {folder}/log\n\
             LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
             LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             LoadModule status_module /usr/lib/apache2/modules/mod_status.so\n\
             User nobody\nGroup nogroup\nStartServers 1\nMutex sem\n\
             <Location /server-status>\nSetHandler server-status\n</Location>\n"
        );
        fs::write(format!("{folder}/apache2.conf"), configuration).unwrap();
        fs::write(format!("{folder}/envvars"), "").unwrap();
        let control = format!("{folder}/control");
        fs::write(&control, format!("#!/bin/sh\nAPACHE_CONFDIR={folder} exec apachectl \"$@\"\n")).unwrap();
        fs::set_permissions(control, fs::Permissions::from_mode(0o755)).unwrap();
        server
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn control(&self, verb: &str) {
        let output = Command::new(format!("{}/control", self.path())).arg(verb).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn grant(&self) -> Grant {
        grant(&format!(
            "run = [{{ program = \"{0}/control\", args = [\"configtest\"], read-only = true }}, \"{0}/control\", \"curl\"]",
            self.path()
        ))
    }

    async fn call(&self, method: &str) -> Json {
        let set = format!("{}/control", self.path());
        call_set(method, &[], self.grant(), ("control", &set)).await.unwrap().to_json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(format!("{}/control", self.path())).arg("stop").output();
    }
}

#[tokio::test]
async fn the_web_server_is_told_and_reloaded() {
    const TEST: &str = "the_web_server_is_told_and_reloaded";
    if !has(TEST, &["apachectl", "curl"]) || !secluded(module_path!(), TEST) {
        return;
    }
    // The port of the recommended grant, since nobody else listens in this network.
    let server = Server::new(80);
    let (kind, message) = error("httpd.status", &[]).await;
    assert!(kind == "failed" && message.contains("`curl` exited with 7"), "{kind}: {message}");
    server.control("start");
    until("the server answers", || std::net::TcpStream::connect("127.0.0.1:80").ok());
    let status = call("httpd.status", &[]).await;
    assert!(status["workers"]["busy"].as_u64().unwrap() + status["workers"]["idle"].as_u64().unwrap() >= 1, "{status}");
    assert!(status["version"].as_str().unwrap().starts_with("Apache/2.") && status["mpm"] == "event", "{status}");
    assert!(status["uptime"].is_u64() && status["accesses"].is_u64() && status["bytes"].is_u64(), "{status}");
    assert!(server.call("httpd.version").await.as_str().unwrap().starts_with("Apache/2."));
    assert_eq!(server.call("httpd.check_config").await, json!({"valid": true, "messages": ["Syntax OK"]}));
    let reload = server.call("httpd.graceful").await;
    assert!(reload["changed"] == true && reload["messages"] == json!(["Syntax OK"]), "{reload}");
    let before = reload["before"].as_u64().unwrap_or_else(|| panic!("{reload}"));
    assert!(reload["after"].as_u64() >= Some(before), "{reload}");
    until("it has read it again", || {
        let page = Command::new("curl").args(["-fsS", "http://127.0.0.1/server-status?auto"]).output().unwrap();
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        let told =
            page.lines().find_map(|line| line.strip_prefix("ParentServerConfigGeneration: ")?.parse::<u64>().ok());
        (told > Some(before)).then_some(())
    });
    let configuration = fs::read_to_string(format!("{}/apache2.conf", server.path())).unwrap();
    fs::write(format!("{}/apache2.conf", server.path()), format!("{configuration}NoSuchDirective\n")).unwrap();
    let checked = server.call("httpd.check_config").await;
    assert!(checked["valid"] == false && checked["messages"].to_string().contains("NoSuchDirective"), "{checked}");
    let set = format!("{}/control", server.path());
    let (kind, message) = failure(call_set("httpd.graceful", &[], server.grant(), ("control", &set)).await);
    assert!(
        kind == "failed" && message.contains("apache2.conf: Invalid command 'NoSuchDirective'"),
        "{kind}: {message}"
    );
    fs::write(format!("{}/apache2.conf", server.path()), configuration).unwrap();
}

#[tokio::test]
async fn this_host_is_reached() {
    const TEST: &str = "this_host_is_reached";
    if has(TEST, &["ping"]) {
        let both = format!("network = [\"127.0.0.1:ping\"]\n{}", r#"run = ["ping"]"#);
        let told =
            call_granted("network.ping", &[text("127.0.0.1"), Value::Int(2)], grant(&both)).await.unwrap().to_json();
        assert_eq!((&told["sent"], &told["received"]), (&json!(2), &json!(2)));
        assert!(told["min"].as_f64().unwrap() <= told["max"].as_f64().unwrap(), "{told}");
    }
    if has(TEST, &["traceroute"]) {
        let hops = call("network.traceroute", &[text("127.0.0.1")]).await;
        assert_eq!((&hops[0]["address"], hops.as_array().unwrap().len()), (&json!("127.0.0.1"), 1));
        assert!(hops[0]["time"].as_f64().unwrap() > 0.0);
        let (kind, message) = error("network.traceroute", &[text("no-such-host.invalid")]).await;
        assert!(kind == "failed" && message.contains("no-such-host.invalid"), "{kind}: {message}");
    }
}

/// Answers one question with a record of the kind A, and any other by saying that there is no such name.
fn name_server() {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let name_end = 12 + question[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let known = question[12..name_end].starts_with(b"\x03web\x07example") && question[name_end - 3] == 1;
            let mut answer = question[..name_end].to_vec();
            let (code, count) = if known { (0x80, 1) } else { (0x83, 0) };
            answer[2..12].copy_from_slice(&[0x81, code, 0, 1, 0, count, 0, 0, 0, 0]);
            if known {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 7]);
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
}

#[tokio::test]
async fn names_are_looked_up() {
    const TEST: &str = "names_are_looked_up";
    if !has(TEST, &["dig"]) || !secluded(module_path!(), TEST) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let resolver = folder.path().join("resolv.conf");
    fs::write(&resolver, "nameserver 127.0.0.1\n").unwrap();
    assert!(
        Command::new("mount")
            .arg("--bind")
            .args([&resolver, Path::new("/etc/resolv.conf")])
            .status()
            .unwrap()
            .success()
    );
    let (kind, message) = error("network.dig", &[text("web.example")]).await;
    assert!(kind == "failed" && message.starts_with("`dig` exited with 9"), "{kind}: {message}");
    name_server();
    let found = call("network.dig", &[text("web.example")]).await;
    let record = json!({"name": "web.example.", "ttl": 300, "kind": "A", "data": "192.0.2.7"});
    assert_eq!(found, json!({"status": "NOERROR", "answers": [record]}));
    let found = check("network.dig", &[text("other.example"), text("MX")], recommended("network")).await.unwrap();
    assert_eq!(found.to_json(), json!({"status": "NXDOMAIN", "answers": []}));
}
