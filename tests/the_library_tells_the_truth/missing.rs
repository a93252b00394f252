//! Every method on a machine that lacks what it needs: programs, files, systemd.
//!
//! Files are read as they are granted, and programs run; only to write is granted to nobody.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use func::{access::Grant, plugin::Param, wire::Value};
use nix::mount::{MsFlags, mount};

use super::{
    failure,
    hostile::{MEANT, is_clear},
    rule, text,
    values::{harmless, value},
};
use crate::harness::{
    cannot,
    direct::{call_granted, compiled, grant, recommended},
    secluded, shipped_modules, skip,
};

/// Where programs are looked for, and what systemd and the scripts before it are known by.
const PROGRAMS: [&str; 7] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/usr/lib/systemd", "/etc/init.d", "/run"];

fn granted(module: &str) -> Grant {
    let all = match module {
        "command" => grant("run = [\"*\"]"),
        "service" => grant("services = [\"*\"]"),
        _ => recommended(module),
    };
    Grant { read: grant("read = [\"/**\"]").read, write: Vec::new(), signal: Vec::new(), ..all }
}

/// An empty folder takes the place of each of these.
pub(super) fn hide(folders: &[&str]) {
    for folder in folders.iter().filter(|folder| Path::new(folder).is_dir()) {
        mount(Some("none"), *folder, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    }
}

/// An argument with which a method gets as far as it can on the machine of [`furnish`].
pub(super) fn argument(method: &str, param: &Param) -> Value {
    match (method, param.name.as_str()) {
        ("bridge.add_port", "device") => text("p0"),
        ("bridge.remove_port", "device") => text("q0"),
        ("bridge.add_port" | "bridge.remove_port" | "bridge.set_up" | "bridge.delete", "name") => text("br0"),
        ("firewall.add" | "firewall.remove", "rule") => rule("drop", "tcp", 1, None, None),
        ("mount.umount", "point") => text("/run"),
        ("nagios.run", "check") => text("check_web"),
        ("package.install" | "package.preview", "names") => Value::Array(vec![text("new")]),
        ("users.add", "options") => Value::Nil,
        ("users.delete_group", "name") | ("users.join_group", "group") => text("spare"),
        ("users.leave_group", "group") => text("extra"),
        ("users.set_groups", "groups") => Value::Array(vec![text("spare")]),
        ("users.unlock", "name") => text("locked"),
        ("users.add" | "users.add_group", "name") => text("web"),
        (_, "name") if method.starts_with("users.") => text("open"),
        ("vlan.add", "device") => text("lo"),
        ("vlan.delete", "name") => text("v7"),
        _ => value(&param.type_name, harmless(&param.name)),
    }
}

/// Users, groups and a package for methods to begin with, as files tell of them; and links. It returns the modules
/// of those links that the kernel does not make.
pub(super) fn furnish() -> Vec<&'static str> {
    let links = [
        ("bridge", "link add p0 type veth peer name p1"),
        ("bridge", "link add q0 type veth peer name q1"),
        ("bridge", "link add br0 type bridge"),
        ("bridge", "link set q0 master br0"),
        ("vlan", "link add link p1 name v7 type vlan id 7"),
    ];
    let made = |args: &str| Command::new("ip").args(args.split(' ')).output().is_ok_and(|ip| ip.status.success());
    let lack: Vec<_> = links.iter().filter(|(_, link)| !made(link)).map(|(module, _)| *module).collect();
    hide(&PROGRAMS);
    hide(&["/etc", "/var/lib"]);
    let users = ["open", "locked"].map(|name| format!("{name}:x:5000:5000::/home/{name}:/bin/dash\n")).concat();
    fs::write("/etc/passwd", users).unwrap();
    fs::write("/etc/group", "spare:x:60:\nextra:x:61:open\nopen:x:5000:\n").unwrap();
    fs::write("/etc/shadow", "open:$6$a:1::::::\nlocked:!$6$a:1::::::\n").unwrap();
    fs::create_dir("/var/lib/dpkg").unwrap();
    let package = "Package: web\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: it\n\n";
    fs::write("/var/lib/dpkg/status", package).unwrap();
    lack
}

/// What every method of the modules answers: the kind and the message where it is an error.
async fn answers(modules: impl Fn(&str) -> bool) -> BTreeMap<String, Option<(String, String)>> {
    let mut answers = BTreeMap::new();
    for built in shipped_modules().modules.iter().filter(|built| built.name != MEANT && modules(&built.name)) {
        for module in compiled(&built.name).modules() {
            for (name, method) in &module.methods {
                let name = format!("{}.{name}", module.name);
                let args: Vec<_> = method.params.iter().map(|param| argument(&name, param)).collect();
                let result = call_granted(&name, &args, granted(&built.name)).await;
                is_clear(&name, &result);
                answers.insert(name, result.is_err().then(|| failure(result)));
            }
        }
    }
    answers
}

/// What runs no program of its own choice, of the modules that do.
const NEED_NONE: [&str; 22] = [
    "bridge.list",
    "mount.list",
    "mount.table",
    "nagios.list",
    "nagios.run",
    "network.hosts",
    "network.interfaces",
    "network.is_port_open",
    "network.netstat",
    "network.ping",
    "network.resolver",
    "network.routes",
    "package.glob",
    "package.inventory",
    "reboot.planned",
    "users.add_ssh_key",
    "users.get",
    "users.groups",
    "users.list",
    "users.remove_ssh_key",
    "users.ssh_keys",
    "vlan.list",
];

#[tokio::test]
async fn a_missing_program_is_named_by_every_method_that_needs_one() {
    const TEST: &str = "a_missing_program_is_named_by_every_method_that_needs_one";
    if !secluded(module_path!(), TEST) {
        return;
    }
    shipped_modules();
    let lack = furnish();
    if !lack.is_empty() {
        cannot(TEST, &format!("the kernel makes no links for {lack:?}, so of those only `add` is called"));
    }
    for (name, answer) in answers(|module| module == "service" || !recommended(module).run.is_empty()).await {
        let (module, method) = name.split_once('.').unwrap();
        if NEED_NONE.contains(&name.as_str()) || lack.contains(&module) && method != "add" {
            continue;
        }
        let Some((kind, message)) = answer else { panic!("{name} answers without its program") };
        let words = if name.starts_with("service.") { "systemd" } else { "this machine has no program `" };
        assert!(kind == "unsupported" && message.contains(words), "{name}: {kind}: {message}");
    }
    // Here it was the caller who named the program.
    let named = answers(|module| ["command", "nagios"].contains(&module)).await;
    for (name, what) in
        [("command.exec", "program `web`"), ("command.run", "program `web`"), ("nagios.run", "`check_web`")]
    {
        let Some((kind, message)) = &named[name] else { panic!("{name} answers without its program") };
        assert!(kind == "not_found" && message.contains(what), "{name}: {kind}: {message}");
    }
}

#[tokio::test]
async fn a_machine_without_a_package_manager_says_so() {
    const TEST: &str = "a_machine_without_a_package_manager_says_so";
    if !secluded(module_path!(), TEST) {
        return;
    }
    shipped_modules();
    let rpm = fs::read("/usr/bin/rpm");
    hide(&PROGRAMS);
    hide(&["/var/lib"]);
    for (method, answer) in answers(|module| module == "package").await {
        let said = "this machine has neither dpkg nor rpm";
        assert_eq!(answer, Some(("unsupported".to_owned(), said.to_owned())), "{method}");
    }
    let Ok(rpm) = rpm else { return skip(TEST, "this machine has no program `rpm`") };
    fs::write("/usr/bin/rpm", rpm).unwrap();
    fs::set_permissions("/usr/bin/rpm", fs::Permissions::from_mode(0o755)).unwrap();
    let answers = answers(|module| module == "package").await;
    for method in ["inventory", "glob", "remove"] {
        assert_eq!(answers[&format!("package.{method}")], None, "rpm alone can tell that nothing is installed");
    }
    for method in ["check_update", "refresh", "preview", "install"] {
        let Some((kind, message)) = &answers[&format!("package.{method}")] else { panic!("{method} needs no dnf") };
        assert!(kind == "unsupported" && message.contains("no program `dnf`"), "{method}: {kind}: {message}");
    }
}

/// Files that modules read, and the methods that are nothing without them.
const FILES: [(&str, &[&str]); 9] = [
    ("/etc/fstab", &["mount.table"]),
    ("/etc/group", &["users.groups", "users.add_group", "users.delete_group"]),
    ("/etc/hosts", &["network.hosts"]),
    ("/etc/os-release", &["facts.all", "facts.os"]),
    (
        "/etc/passwd",
        &["users.list", "users.get", "users.add", "users.delete", "users.lock", "users.set_shell", "users.ssh_keys"],
    ),
    ("/etc/resolv.conf", &["network.resolver"]),
    ("/etc/shadow", &[]),
    ("/var/lib/dpkg/status", &["package.inventory", "package.glob", "package.remove", "package.verify"]),
    ("/var/lib/func-filetracker/tracked", &["filetracker.tracked", "filetracker.inventory", "filetracker.track"]),
];

#[tokio::test]
async fn files_that_are_not_there_or_no_files_are_named() {
    const TEST: &str = "files_that_are_not_there_or_no_files_are_named";
    if !secluded(module_path!(), TEST) {
        return;
    }
    shipped_modules();
    hide(&PROGRAMS);
    hide(&["/etc", "/sys", "/var/lib", "/home"]);
    answers(|_| true).await;

    for (file, _) in FILES {
        fs::create_dir_all(file).unwrap();
    }
    let answers_now = answers(|_| true).await;
    for (file, methods) in FILES {
        for method in methods {
            let Some((kind, message)) = &answers_now[*method] else { panic!("{method} answers without {file}") };
            assert_eq!((kind.as_str(), message), ("invalid", &format!("`{file}` is not a regular file")), "{method}");
        }
    }

    for (file, _) in FILES {
        fs::remove_dir(file).unwrap();
        fs::write(file, b"\xff\xfe \0:\n\n:::\n-\xff").unwrap();
    }
    answers(|_| true).await;
}
