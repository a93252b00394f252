//! Users and groups: those of this machine are read; changes are made to a system in a scratch folder.

use std::{collections::BTreeMap, fs, path::Path};

use func::{access::Grant, wire::Value};
use serde_json::{Value as Json, json};

use super::{call, error, failure, read, text};
use crate::harness::direct::{call_set, grant, recommended};

#[tokio::test]
async fn users_and_groups_are_those_of_this_machine() {
    let users = call("users.list", &[]).await;
    assert_eq!(users.as_array().unwrap().len(), read("/etc/passwd").lines().count());
    let root = call("users.get", &[text("root")]).await;
    assert_eq!((&root["uid"], &root["group"], &root["home"]), (&json!(0), &json!("root"), &json!("/root")));
    assert_eq!(call("users.groups", &[]).await.as_array().unwrap().len(), read("/etc/group").lines().count());
    let (kind, message) = error("users.get", &[text("no-such-user")]).await;
    let said = "there is no user `no-such-user` (hint: list them with `users.list`)";
    assert_eq!((kind.as_str(), message.as_str()), ("not_found", said));
}

/// A system that has root and nothing else.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let etc = folder.path().join("etc");
        fs::create_dir_all(&etc).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        for (name, contents) in [
            ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
            ("group", "root:x:0:\nusers:x:100:\nadm:x:4:\n"),
            ("shadow", "root:*:20000:0:99999:7:::\n"),
            ("gshadow", "root:*::\nusers:!::\nadm:!::\n"),
            ("login.defs", "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\n"),
        ] {
            fs::write(etc.join(name), contents).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What is recommended, for this system: the programs get its folder before all else.
    fn grant(&self) -> Grant {
        let path = self.path().canonicalize().unwrap();
        let path = path.to_str().unwrap();
        let recommended = recommended("users");
        let lines = recommended.run.iter().map(|granted| {
            let toml::Value::Table(mut entry) = toml::Value::try_from(granted).unwrap() else { panic!("{granted:?}") };
            let before = match entry["program"].as_str() {
                Some("chpasswd") => vec![format!("--root={path}"), "--crypt-method=SHA512".to_owned()],
                _ => vec![format!("--prefix={path}")],
            };
            let list = if entry.contains_key("options") { "options" } else { "args" };
            let args = entry[list].as_array_mut().unwrap();
            args.splice(0..0, before.into_iter().map(Into::into));
            entry.into()
        });
        let run = toml::Value::Array(lines.collect());
        grant(&format!("run = {run}\nread = [\"{path}/**\"]\nwrite = [\"{path}/home/**\"]"))
    }

    async fn try_call(&self, method: &str, args: &[Value]) -> Result<Value, func::plugin::CallError> {
        let path = self.path().canonicalize().unwrap();
        call_set(method, args, self.grant(), ("prefix", path.to_str().unwrap())).await
    }

    async fn call(&self, method: &str, args: &[Value]) -> Json {
        self.try_call(method, args).await.unwrap_or_else(|error| panic!("{method}: {error}")).to_json()
    }

    async fn changed(&self, method: &str, args: &[Value]) -> bool {
        self.call(method, args).await["changed"].as_bool().unwrap()
    }
}

fn can_change_users() -> bool {
    nix::unistd::Uid::effective().is_root() && Path::new("/usr/sbin/useradd").exists()
}

#[tokio::test]
async fn a_user_lives_from_add_to_delete() {
    if !can_change_users() {
        return;
    }
    let system = Scratch::new();
    let ann = text("ann");
    assert!(system.changed("users.add_group", &[text("staff"), Value::Int(2000)]).await);
    assert!(!system.changed("users.add_group", &[text("staff")]).await);
    let options = Value::Struct(BTreeMap::from([
        ("uid".to_owned(), Value::Int(1234)),
        ("groups".to_owned(), Value::Array(vec![text("staff")])),
        ("comment".to_owned(), text("Ann")),
        ("shell".to_owned(), text("/bin/sh")),
    ]));
    let made = system.call("users.add", &[ann.clone(), options.clone()]).await;
    assert_eq!((&made["before"], &made["after"]["uid"]), (&json!(null), &json!(1234)));
    assert_eq!((&made["after"]["groups"], &made["after"]["comment"]), (&json!(["staff"]), &json!("Ann")));
    assert!(!system.changed("users.add", &[ann.clone(), options]).await);
    let other = Value::Struct(BTreeMap::from([("uid".to_owned(), Value::Int(1))]));
    let (kind, message) = failure(system.try_call("users.add", &[ann.clone(), other]).await);
    assert!(kind == "already_exists" && message.contains("another number"), "{kind}: {message}");

    let set = system.call("users.set_shell", &[ann.clone(), text("/bin/false")]).await;
    assert_eq!((&set["before"]["shell"], &set["after"]["shell"]), (&json!("/bin/sh"), &json!("/bin/false")));
    assert!(!system.changed("users.set_shell", &[ann.clone(), text("/bin/false")]).await);
    assert!(system.changed("users.join_group", &[ann.clone(), text("adm")]).await);
    assert!(!system.changed("users.join_group", &[ann.clone(), text("adm")]).await);
    let left = system.call("users.leave_group", &[ann.clone(), text("staff")]).await;
    assert_eq!(left["after"]["groups"], json!(["adm"]));
    let closed = system.call("users.set_expiry", &[ann.clone(), text("2026-02-28")]).await;
    assert_eq!(closed["after"]["expires"], "2026-02-28");
    assert!(system.changed("users.set_expiry", std::slice::from_ref(&ann)).await);
    for (method, value) in [
        ("users.set_home", text("/home/other")),
        ("users.set_comment", text("Ann, 3/4")),
        ("users.set_groups", Value::Array(vec![text("adm"), text("staff")])),
    ] {
        assert!(system.changed(method, &[ann.clone(), value.clone()]).await, "{method}");
        assert!(!system.changed(method, &[ann.clone(), value]).await, "{method}");
    }
    fs::create_dir(system.path().join("home/other")).unwrap();
    std::os::unix::fs::chown(system.path().join("home/other"), Some(1234), None).unwrap();
    system.call("users.set_home", &[ann.clone(), text("/home/third"), Value::Bool(true)]).await;
    assert!(system.path().join("home/third").exists(), "its home was moved");
    let (kind, message) =
        failure(system.try_call("users.set_groups", &[ann.clone(), Value::Array(vec![text("no-such")])]).await);
    assert!(kind == "failed" && message.starts_with("`usermod` exited with"), "{kind}: {message}");

    assert!(system.changed("users.delete", &[ann.clone(), Value::Bool(true)]).await);
    assert!(!system.path().join("home/third").exists());
    assert!(!system.changed("users.delete", &[ann]).await);
    assert!(system.changed("users.delete_group", &[text("staff")]).await);
    assert!(!system.changed("users.delete_group", &[text("staff")]).await);
    assert_eq!(failure(system.try_call("users.delete", &[text("root")]).await).0, "invalid");
}

#[tokio::test]
async fn a_password_is_set_and_its_user_alone_knows_it() {
    if !can_change_users() {
        return;
    }
    let system = Scratch::new();
    let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n";
    fs::write(system.path().join("etc/passwd"), passwd).unwrap();
    fs::write(system.path().join("etc/shadow"), "ann:!:20000:0:99999:7:::\n").unwrap();
    let set = system.call("users.password", &[text("ann"), text("hunter2:x")]).await;
    assert_eq!((&set["before"]["password"], &set["after"]["password"]), (&json!("locked"), &json!("set")));
    assert!(!set.to_string().contains("hunter2"), "{set}");
    let shadow = fs::read_to_string(system.path().join("etc/shadow")).unwrap();
    assert!(shadow.starts_with("ann:$6$") && !shadow.contains("hunter2"), "{shadow}");
    for wrong in ["", "hunter2\nroot:x"] {
        let (kind, message) = failure(system.try_call("users.password", &[text("ann"), text(wrong)]).await);
        assert!(kind == "invalid" && !message.contains("hunter2"), "{message}");
    }
    let missing = failure(system.try_call("users.password", &[text("bob"), text("hunter2")]).await);
    assert_eq!(missing.0, "not_found");
}

#[tokio::test]
async fn a_password_is_locked_and_unlocked() {
    if !can_change_users() {
        return;
    }
    let system = Scratch::new();
    let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n";
    fs::write(system.path().join("etc/passwd"), passwd).unwrap();
    fs::write(system.path().join("etc/shadow"), "ann:$6$x$y:20000:0:99999:7:::\n").unwrap();
    let locked = system.call("users.lock", &[text("ann")]).await;
    assert_eq!((&locked["before"]["password"], &locked["after"]["password"]), (&json!("set"), &json!("locked")));
    assert!(!system.changed("users.lock", &[text("ann")]).await);
    assert_eq!(system.call("users.unlock", &[text("ann")]).await["after"]["password"], "set");
    assert!(!system.changed("users.unlock", &[text("ann")]).await);
}

#[tokio::test]
async fn keys_are_added_and_removed_but_not_through_a_link() {
    let system = Scratch::new();
    let passwd = "ann:x:1000:100::/home/ann:/bin/sh\nbob:x:1001:100::/home/bob:/bin/sh\n";
    fs::write(system.path().join("etc/passwd"), passwd).unwrap();
    fs::create_dir_all(system.path().join("home/ann")).unwrap();
    fs::create_dir_all(system.path().join("home/bob")).unwrap();
    std::os::unix::fs::symlink("../ann/.ssh", system.path().join("home/bob/.ssh")).unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHann0000000000000000000000000000000000000000 ann";
    assert_eq!(system.call("users.ssh_keys", &[text("ann")]).await, json!([]));
    let added = system.call("users.add_ssh_key", &[text("ann"), text(key)]).await;
    assert_eq!((&added["before"], &added["after"][0]["comment"]), (&json!([]), &json!("ann")));
    assert!(!system.changed("users.add_ssh_key", &[text("ann"), text(key)]).await);
    let file = system.path().join("home/ann/.ssh/authorized_keys");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{key}\n"));
    let other = key.replace("Hann", "Hbob");
    let (kind, message) = failure(system.try_call("users.add_ssh_key", &[text("bob"), text(&other)]).await);
    assert!(kind == "invalid" && message.contains("symbolic link"), "{kind}: {message}");
    assert!(system.changed("users.remove_ssh_key", &[text("ann"), text(key)]).await);
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}
