//! Interfaces, sockets and routes.

use func::wire::Value;
use serde_json::json;

use super::{call, error, read, text};

#[tokio::test]
async fn interfaces_are_those_of_the_kernel() {
    let interfaces = call("network.interfaces", &[]).await;
    let lo = interfaces.as_array().unwrap().iter().find(|interface| interface["name"] == "lo").unwrap().clone();
    assert_eq!((lo["mtu"].to_string(), &lo["hardware_address"]), (read("/sys/class/net/lo/mtu"), &json!(null)));
}

#[tokio::test]
async fn a_socket_that_listens_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sockets = call("network.netstat", &[Value::Bool(true)]).await;
    let own = sockets.as_array().unwrap().iter().find(|socket| socket["local_port"] == port).unwrap().clone();
    assert_eq!((&own["protocol"], &own["local_address"]), (&json!("tcp"), &json!("127.0.0.1")));
    assert_eq!((&own["state"], &own["uid"]), (&json!("listen"), &json!(nix::unistd::Uid::effective().as_raw())));
    let other = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let all = call("network.netstat", &[]).await;
    let (near, far) = (other.local_addr().unwrap().port(), port);
    let is_it = |socket: &&serde_json::Value| socket["local_port"] == near && socket["remote_port"] == far;
    assert_eq!(all.as_array().unwrap().iter().find(is_it).unwrap()["state"], "established");
}

#[tokio::test]
async fn routes_resolver_and_hosts_are_told() {
    let devices: Vec<String> =
        read("/proc/net/dev").lines().filter_map(|l| Some(l.split_once(':')?.0.trim().into())).collect();
    for route in call("network.routes", &[]).await.as_array().unwrap() {
        assert!(devices.iter().any(|device| route["device"] == device.as_str()), "{route}");
    }
    let servers = call("network.resolver", &[]).await["nameservers"].as_array().unwrap().len();
    assert_eq!(servers, read("/etc/resolv.conf").lines().filter(|line| line.starts_with("nameserver ")).count());
    assert!(call("network.hosts", &[]).await.is_array());
}

#[tokio::test]
async fn other_hosts_are_reached_only_where_that_is_granted() {
    for (method, args) in [
        ("network.ping", vec![text("192.0.2.1"), Value::Int(1)]),
        ("network.is_port_open", vec![text("192.0.2.1"), Value::Int(1)]),
    ] {
        let (kind, message) = error(method, &args).await;
        assert_eq!(kind, "denied", "{message}");
    }
}

fn has(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| std::path::Path::new(folder).join(program).exists())
}

#[tokio::test]
async fn what_takes_a_program_says_so_where_it_is_missing() {
    for (program, method, args) in [
        ("ip", "network.addresses", vec![]),
        ("traceroute", "network.traceroute", vec![text("127.0.0.1")]),
        ("dig", "network.dig", vec![text("localhost")]),
    ] {
        if has(program) {
            continue;
        }
        let (kind, message) = error(method, &args).await;
        assert_eq!(
            (kind.as_str(), message),
            ("unsupported", format!("this machine has no program `{program}` (hint: install it there)"))
        );
    }
    if has("ip") {
        let addresses = call("network.addresses", &[]).await;
        let is_loopback = |address: &serde_json::Value| address["address"] == "127.0.0.1" && address["device"] == "lo";
        assert!(addresses.as_array().unwrap().iter().any(is_loopback), "{addresses}");
    }
}
