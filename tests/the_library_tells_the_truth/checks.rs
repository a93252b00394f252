//! A check of every method that the components have: one that changes the machine tells its plan and changes nothing, and one
//! that only reads plans nothing. What ran meanwhile is what the grants say only reads, and is told in the plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
};

use func::{
    access::Grant,
    plugin::{Called, Effect, Param, Step, Trail},
    wire::Value,
};

use super::{
    missing::{argument, furnish, hide},
    rule, text,
    values::{harmless, value},
};
use crate::harness::{
    cannot,
    direct::{call_granted, compiled, grant, planned, recommended},
    secluded, shipped_modules,
};

/// What they do is what their caller says, so there is no state to tell of before and after.
const RUN_WHAT_THE_CALLER_SAYS: [&str; 3] = ["command.exec", "command.run", "nagios.run"];
/// Where every program leaves a line when it runs. It is no part of the machine.
const RAN: &str = "/opt/ran";
const SWAPPINESS: &str = "/proc/sys/vm/swappiness";
const KEYS: &str = "/home/open/.ssh/authorized_keys";
const CHECKS: &str = "/run/checks";

/// A machine of files and programs that only the test sees, and a process.
struct Machine {
    process: Child,
    /// The modules for which the kernel has no links.
    lack: Vec<&'static str>,
}

/// A program that leaves a line, and says this and ends with this code when it is given these arguments.
fn program(path: &str, answers: &[(&str, &str, u8)]) {
    let case = |(args, said, code): &(&str, &str, u8)| format!("{args}) printf '%b' '{said}'; exit {code};;\n");
    let cases: String = answers.iter().map(case).collect();
    let name = Path::new(path).file_name().unwrap().display();
    fs::write(path, format!("#!/usr/bin/sh\necho \"{name} $*\" >> {RAN}\ncase \"$*\" in\n{cases}esac\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Machine {
    fn new() -> Self {
        let process = Command::new("sleep").arg("20").spawn().unwrap();
        let shell = fs::read("/bin/sh").unwrap();
        let lack = furnish();
        hide(&["/home", "/opt"]);
        fs::write("/usr/bin/sh", shell).unwrap();
        fs::set_permissions("/usr/bin/sh", fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["/etc/init.d", "/etc/sysctl.d", "/var/lib/func-filetracker", "/run/systemd/shutdown", CHECKS] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::create_dir_all(Path::new(KEYS).parent().unwrap()).unwrap();
        fs::create_dir("/home/locked").unwrap();
        let Value::String(key) = value("string", harmless("key")) else { panic!("no text") };
        fs::write(KEYS, key).unwrap();
        fs::write("/etc/init.d/web", "").unwrap();
        fs::write("/etc/init.d/db", "").unwrap();
        fs::write("/etc/sysctl.d/90-func.conf", "vm.swappiness = 7\n").unwrap();
        fs::write("/var/lib/func-filetracker/tracked", "/etc/passwd\n").unwrap();
        fs::write(format!("{CHECKS}/tracked"), "/etc/passwd\n").unwrap();
        fs::write("/run/systemd/shutdown/scheduled", "USEC=1772280123000500\nWARN_WALL=1\nMODE=reboot\n").unwrap();

        let table = r#"{"nftables":[{"rule":{"chain":"input","handle":4,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":1}},{"drop":null}]}}]}"#;
        let domain = |state: &str| {
            format!(
                "Name: web\\nUUID: 1\\nState: {state}\\nCPU(s): 1\\nMax memory: 8 KiB\\nUsed memory: 8 KiB\\nPersistent: yes\\nAutostart: disable\\n"
            )
        };
        let (off, running) = (domain("shut off"), domain("running"));
        program("/usr/sbin/nft", &[("\"-j -n list table inet func\"", table, 0)]);
        program(
            "/usr/bin/virsh",
            &[
                ("*\"list --all --name\"", "web\\n", 0),
                ("*\"dominfo --domain web\"", &off, 0),
                ("*dominfo*", &running, 0),
            ],
        );
        program(
            "/usr/bin/apt-get",
            &[("*\" -s remove\"*", "Remv web [1]\\n", 0), ("*\" -s \"*", "Inst web [1] (2 repo [all])\\n", 0)],
        );
        program("/usr/sbin/apachectl", &[("configtest", "Syntax OK\\n", 0)]);
        program("/usr/bin/curl", &[("*", "BusyWorkers: 1\\nIdleWorkers: 1\\nScoreboard: _\\n", 0)]);
        // A service that is stopped is told by its code.
        program("/usr/sbin/service", &[("\"db status\"", "", 0), ("\"web status\"", "", 3)]);
        for name in [
            "chpasswd", "groupadd", "groupdel", "useradd", "userdel", "usermod", "ip", "mount", "umount", "shutdown",
            "web",
        ] {
            program(&format!("/usr/sbin/{name}"), &[]);
        }
        program(&format!("{CHECKS}/check_web"), &[]);
        Self { process, lack }
    }

    /// All that a method could have changed.
    fn state(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut state = BTreeMap::new();
        for folder in ["/etc", "/home", "/run", "/var/lib"] {
            files(Path::new(folder), &mut state);
        }
        for file in [SWAPPINESS, "/proc/self/mountinfo"] {
            state.insert(file.to_owned(), fs::read(file).unwrap());
        }
        let links: BTreeSet<_> =
            fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name()).collect();
        state.insert("links".to_owned(), format!("{links:?}").into_bytes());
        state.insert("the process".to_owned(), format!("{:?}", self.process.try_wait().unwrap()).into_bytes());
        state
    }

    /// An argument with which there is something to do.
    fn argument(&self, method: &str, param: &Param) -> Value {
        match (method, param.name.as_str()) {
            ("command.run", "env") | ("process.kill", "started") => Value::Nil,
            ("filetracker.untrack", "paths") => Value::Array(vec![text("/etc/passwd")]),
            ("firewall.add", "rule") => rule("drop", "tcp", 2, None, None),
            ("mount.mount", "point") => text("/home/open"),
            ("package.install" | "package.preview", "names") => Value::Array(vec![text("new")]),
            ("process.kill", "pid") => Value::Int(self.process.id().into()),
            ("service.stop" | "virt.shutdown" | "virt.destroy", "name") => text("db"),
            ("sysctl.forget" | "sysctl.set" | "sysctl.get", "name") => text("vm.swappiness"),
            ("sysctl.set", "value") => text("11"),
            ("users.add_ssh_key", "name") => text("locked"),
            _ => argument(method, param),
        }
    }

    async fn check(&self, method: &str, params: &[Param]) -> Called {
        let args: Vec<_> = params.iter().map(|param| self.argument(method, param)).collect();
        let called = planned(method, &args, granted(method.split('.').next().unwrap()), ("folder", CHECKS)).await;
        let told: Vec<_> = steps(&called).iter().filter(|step| step.effect == Effect::RanReadOnly).map(line).collect();
        assert_eq!(ran(), told, "{method} ran what its plan does not tell");
        called
    }
}

/// The lines that programs left since it was last asked. How services without systemd do, the host itself looks up.
fn ran() -> Vec<String> {
    let lines = fs::read_to_string(RAN).unwrap_or_default();
    let _ = fs::remove_file(RAN);
    lines
        .lines()
        .filter(|line| !(line.starts_with("service ") && line.ends_with(" status")))
        .map(str::to_owned)
        .collect()
}

/// The line that the program of a step leaves.
fn line(step: &Step) -> String {
    let arguments = step.arguments.to_json();
    let words = arguments["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    [arguments["program"].as_str().unwrap()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn files(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap_or_default());
        }
    }
}

/// What is recommended; and what only an operator can say.
fn granted(module: &str) -> Grant {
    match module {
        "command" => grant("run = [\"web\"]"),
        "filetracker" => grant("read = [\"/run/checks/**\"]\nwrite = [\"/run/checks/**\"]"),
        "nagios" => grant("run = [\"/run/checks/*\"]\nread = [\"/run/checks\"]"),
        "service" => grant("services = [\"*\"]"),
        _ => recommended(module),
    }
}

fn steps(called: &Called) -> &[Step] {
    let Trail::Plan(plan) = &called.trail else { panic!("no plan") };
    &plan.steps
}

/// What a step would change.
fn changes(step: &Step) -> bool {
    !matches!(step.effect, Effect::RanReadOnly | Effect::Failed { .. })
}

/// A method that changes the machine.
fn changing(full: &str, called: &Called) {
    let answer = called.answer.as_ref().unwrap_or_else(|error| panic!("{full}: {error}")).to_json();
    assert!(steps(called).iter().any(changes), "{full} plans nothing: {answer}");
    if !RUN_WHAT_THE_CALLER_SAYS.contains(&full) {
        let told =
            answer.get("packages").is_some() || (answer.get("before").is_some() && answer.get("after").is_some());
        assert!(answer["changed"] == true && told, "{full}: {answer}");
    }
}

/// A method that only reads.
fn reading(full: &str, called: &Called) {
    let changing: Vec<_> = steps(called).iter().filter(|step| changes(step)).collect();
    assert!(changing.is_empty(), "{full}: {changing:?}");
}

#[tokio::test]
async fn a_check_of_any_method_tells_what_would_be_done_and_does_nothing() {
    const TEST: &str = "a_check_of_any_method_tells_what_would_be_done_and_does_nothing";
    if !secluded(module_path!(), TEST) {
        return;
    }
    shipped_modules();
    let mut machine = Machine::new();
    if !machine.lack.is_empty() {
        cannot(TEST, &format!("the kernel makes no links for {:?}, so of those only `add` is checked", machine.lack));
    }
    let before = machine.state();
    let mut checked = [0, 0];
    for built in &shipped_modules().modules {
        for module in compiled(&built.name).modules() {
            for (name, method) in &module.methods {
                let full = format!("{}.{name}", module.name);
                let lacks_link = !method.read_only && machine.lack.contains(&built.name.as_str());
                if lacks_link && name.as_str() != "add" {
                    continue;
                }
                let called = machine.check(&full, &method.params).await;
                if method.read_only {
                    reading(&full, &called);
                } else {
                    changing(&full, &called);
                }
                assert_eq!(machine.state(), before, "{full} changes something in a check");
                checked[usize::from(method.read_only)] += 1;
            }
        }
    }
    let [change, read] = checked;
    assert!(change > 50 && read > 70, "{checked:?}");
    // In earnest it is done, and seen.
    call_granted("users.lock", &[text("open")], granted("users")).await.unwrap();
    assert_eq!(ran(), ["usermod --lock open"]);
    call_granted("sysctl.forget", &[text("vm.swappiness")], granted("sysctl")).await.unwrap();
    assert_ne!(machine.state(), before);
}
