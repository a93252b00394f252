//! What the machine is made of, what is mounted in it and how its kernel is set.

use func::wire::Value;
use serde_json::json;

use super::{call, error, failure, read, text};
use crate::harness::direct::{call_granted, check, grant, recommended};

#[tokio::test]
async fn hardware_is_that_of_this_machine() {
    let all = call("hardware.inventory", &[]).await;
    let threads = read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count();
    assert_eq!(all["cpus"]["threads"], threads);
    assert!(read("/proc/meminfo").contains(&format!("{} kB", all["memory"]["total"].as_u64().unwrap() / 1024)));
    let nics = all["nics"].as_array().unwrap();
    let lo = nics.iter().find(|nic| nic["name"] == "lo").unwrap();
    assert_eq!((&lo["is_virtual"], lo["mtu"].to_string()), (&json!(true), read("/sys/class/net/lo/mtu")));
    for disk in all["disks"].as_array().unwrap() {
        let sectors: u64 = read(&format!("/sys/block/{}/size", disk["name"].as_str().unwrap())).parse().unwrap();
        assert_eq!(disk["size"], sectors * 512);
    }
    let devices = std::fs::read_dir("/sys/bus/pci/devices").map_or(0, Iterator::count);
    assert_eq!(all["pci"].as_array().unwrap().len(), devices);
}

#[tokio::test]
async fn mounts_are_those_of_this_machine() {
    let mounts = call("mount.list", &[]).await;
    let mounts = mounts.as_array().unwrap();
    let lines = read("/proc/self/mountinfo").lines().count();
    assert_eq!(mounts.len(), lines);
    assert!(mounts.iter().any(|mount| mount["point"] == "/proc" && mount["kind"] == "proc"));
    let of_kind = call("mount.list", &[text("proc")]).await;
    assert!(of_kind.as_array().unwrap().iter().all(|mount| mount["kind"] == "proc"));
}

#[tokio::test]
async fn a_mount_is_made_once_and_undone_once() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let point = text(folder.path().canonicalize().unwrap().to_str().unwrap());
    let args = [point.clone(), text("func-test"), text("tmpfs"), Value::Array(vec![text("size=64k"), text("ro")])];
    let would = check("mount.mount", &args, recommended("mount")).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!(null)));
    let made = match call_granted("mount.mount", &args, recommended("mount")).await {
        // A container without the right to mount.
        Err(error) if error.to_string().contains("permission denied") => return,
        other => other.unwrap().to_json(),
    };
    assert_eq!(
        (&made["changed"], &made["before"], &made["after"]["kind"]),
        (&json!(true), &json!(null), &json!("tmpfs"))
    );
    assert!(made["after"]["options"].as_array().unwrap().contains(&json!("ro")));
    assert_eq!(call("mount.mount", &args).await["changed"], false);
    let (kind, message) = error("mount.mount", &[point.clone(), text("other"), text("tmpfs")]).await;
    assert!(kind == "busy" && message.contains("func-test"), "{kind}: {message}");
    let undone = call("mount.umount", std::slice::from_ref(&point)).await;
    assert_eq!((&undone["changed"], &undone["after"]), (&json!(true), &json!(null)));
    assert_eq!(call("mount.umount", &[point]).await["changed"], false);
}

#[tokio::test]
async fn a_mount_that_fails_says_why() {
    let (kind, message) = error("mount.mount", &[text("/no/such/folder"), text("x"), text("tmpfs")]).await;
    assert!(kind == "failed" && message.starts_with("`mount` exited with"), "{kind}: {message}");
    let (kind, _) = error("mount.mount", &[text("/no/such/folder")]).await;
    assert_eq!(kind, "not_found");
}

#[tokio::test]
async fn parameters_of_the_kernel_are_read() {
    assert_eq!(call("sysctl.get", &[text("kernel.ostype")]).await, "Linux");
    assert_eq!(call("sysctl.get", &[text("kernel/hostname")]).await, read("/proc/sys/kernel/hostname"));
    let list = call("sysctl.list", &[text("kernel")]).await;
    assert_eq!(list["kernel.ostype"], "Linux");
    assert!(list.as_object().unwrap().keys().all(|name| name.starts_with("kernel.")));
    assert!(call("sysctl.list", &[]).await.as_object().unwrap().len() > list.as_object().unwrap().len());
    assert_eq!(error("sysctl.get", &[text("kernel.no_such_thing")]).await.0, "not_found");
    assert_eq!(error("sysctl.get", &[text("kernel")]).await.0, "invalid");
}

#[tokio::test]
async fn a_parameter_is_set_and_set_back() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let name = "vm.dirty_expire_centisecs";
    let before = call("sysctl.get", &[text(name)]).await.as_str().unwrap().to_owned();
    let other = (before.parse::<u32>().unwrap() + 1).to_string();
    let grant = || {
        grant(
            r#"read = ["/proc/sys/**"]
        write = ["/proc/sys/vm/dirty_expire_centisecs"]"#,
        )
    };
    let would = check("sysctl.set", &[text(name), text(&other)], grant()).await.unwrap().to_json();
    assert_eq!((&would["changed"], &would["after"]), (&json!(true), &json!(other)));
    assert_eq!(read("/proc/sys/vm/dirty_expire_centisecs"), before, "a check changes nothing");
    let refused = failure(call_granted("sysctl.set", &[text(name), text("many")], grant()).await);
    assert!(refused.0 == "invalid" && refused.1.contains("does not take `many`"), "{refused:?}");
    let set = call_granted("sysctl.set", &[text(name), text(&other)], grant()).await.unwrap().to_json();
    assert_eq!((&set["changed"], &set["before"], &set["after"]), (&json!(true), &json!(before), &json!(other)));
    let again = call_granted("sysctl.set", &[text(name), text(&other)], grant()).await.unwrap().to_json();
    assert_eq!(again["changed"], false);
    call_granted("sysctl.set", &[text(name), text(&before)], grant()).await.unwrap();
    assert_eq!(read("/proc/sys/vm/dirty_expire_centisecs"), before);
}
