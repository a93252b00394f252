//! A module is pushed to a fleet: it loads where it is trusted, and the version before it can come back.

use std::fs;
use std::path::{Path, PathBuf};

use func::fleet::Outcome;

use crate::harness::{Fleet, shipped_modules};

fn shipped(name: &str) -> PathBuf {
    shipped_modules().modules.iter().find(|built| built.name == name).unwrap().path.clone()
}

/// A copy of a shipped module under this name, signed with the fleet's own key, and that key. A custom
/// section makes versions differ.
fn signed(fleet: &Fleet, module: &str, version: &str) -> (PathBuf, String) {
    let folder = fleet.folder().join(format!("version-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let copy = folder.join(format!("{module}.wasm"));
    let mut bytes = fs::read(shipped(module)).unwrap();
    let name = format!("version-{version}");
    let length = u8::try_from(name.len() + 1).unwrap();
    bytes.extend([0, length, u8::try_from(name.len()).unwrap()]);
    bytes.extend(name.as_bytes());
    fs::write(&copy, bytes).unwrap();
    let signed = fleet.func(["module", "sign", copy.to_str().unwrap(), "--json"]).expect(0);
    (copy, signed.json()[0]["public"].as_str().unwrap().to_owned())
}

fn push(fleet: &Fleet, file: &Path, target: &str, code: i32) -> serde_json::Value {
    fleet.func(["module", "push", file.to_str().unwrap(), target, "--json"]).expect(code).json()
}

fn hello(fleet: &Fleet, minion: &str) -> bool {
    matches!(fleet.ask(minion, "greeting.hello", vec!["you".into()]), Outcome::Ok(_))
}

#[test]
fn a_pushed_module_serves_and_the_one_before_it_comes_back() {
    let mut fleet = Fleet::empty();
    let (first, key) = signed(&fleet, "greeting", "1");
    let (second, _) = signed(&fleet, "greeting", "2");
    let trust = format!("[modules]\npush = true\ntrusted = [\"{key}\"]\n");
    for name in ["web1", "web2"] {
        fleet.add_with(name, &trust, &[]);
    }
    let pushed = push(&fleet, &first, "*", 0);
    assert_eq!(pushed["hosts"]["web1"]["value"]["state"], "loaded", "{pushed}");
    assert!(hello(&fleet, "web1") && hello(&fleet, "web2"));
    // Who has it gets no bytes: the only transfer was the one of before.
    assert_eq!(push(&fleet, &first, "*", 0)["hosts"]["web2"]["value"]["state"], "unchanged");
    assert_eq!(fleet.audit("web2", "transfer.put").len(), 1);
    assert_eq!(fleet.audit("web2", "modules.install").len(), 3);

    let pushed = push(&fleet, &second, "web1", 0);
    assert_eq!(pushed["hosts"]["web1"]["value"]["state"], "loaded");
    let in_place = |fleet: &Fleet| fs::read(fleet.folder().join("web1/modules/greeting.wasm")).unwrap();
    assert_eq!(in_place(&fleet), fs::read(&second).unwrap());
    let rolled = fleet.func(["module", "rollback", "greeting", "web1", "--json"]).expect(0).json();
    assert_eq!(rolled["hosts"]["web1"]["value"]["state"], "rolled back", "{rolled}");
    assert_eq!(in_place(&fleet), fs::read(&first).unwrap());
    assert!(hello(&fleet, "web1"));
    let nothing = fleet.func(["module", "rollback", "greeting", "web1", "--json"]).expect(1).json();
    assert_eq!(nothing["hosts"]["web1"]["error"]["type"], "NothingToRollBack", "{nothing}");
}

#[test]
fn what_is_not_trusted_never_reaches_the_plugin_folder() {
    let mut fleet = Fleet::empty();
    let (file, key) = signed(&fleet, "greeting", "1");
    let modules = fleet.add_with("web1", &format!("[modules]\npush = true\ntrusted = [\"{key}\"]\n"), &[]).modules();
    fleet.add_with("closed", &format!("[modules]\ntrusted = [\"{key}\"]\n"), &[]);
    fleet.add_with("stranger", "[modules]\npush = true\n", &[]);
    let empty = |modules: &Path| fs::read_dir(modules).unwrap().count() == 0;

    let outcome = push(&fleet, &file, "closed;stranger", 1);
    let message = |host: &str| outcome["hosts"][host]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message("closed").contains("push = true"), "{outcome}");
    assert!(message("stranger").contains("which is not trusted here"), "{outcome}");

    // Tampered with: its signature is of other bytes.
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let outcome = push(&fleet, &file, "web1", 1);
    let error = &outcome["hosts"]["web1"]["error"];
    assert_eq!(error["type"], "Refused");
    assert!(error["message"].as_str().unwrap().contains("is not of these bytes"), "{error}");
    fs::remove_file(file.with_extension("wasm.minisig")).unwrap();
    let outcome = push(&fleet, &file, "web1", 1);
    assert!(outcome["hosts"]["web1"]["error"]["message"].as_str().unwrap().contains("it is not signed"), "{outcome}");
    let junk = fleet.folder().join("junk.wasm");
    fs::write(&junk, "junk").unwrap();
    push(&fleet, &junk, "web1", 1);
    assert!(empty(&modules) && !hello(&fleet, "web1"));
}

#[test]
fn a_module_that_does_not_load_leaves_the_one_before_it_in_place() {
    let mut fleet = Fleet::empty();
    let (good, _) = signed(&fleet, "greeting", "1");
    let modules = fleet.add_with("web1", "[modules]\npush = true\nunsigned = true\n", &[]).modules();
    push(&fleet, &good, "web1", 0);
    // A component that exports nothing is no module.
    let bad = fleet.folder().join("greeting.wasm");
    fs::write(&bad, [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]).unwrap();
    let outcome = push(&fleet, &bad, "web1", 1);
    assert_eq!(outcome["hosts"]["web1"]["error"]["type"], "Refused", "{outcome}");
    assert_eq!(fs::read(modules.join("greeting.wasm")).unwrap(), fs::read(&good).unwrap());
    assert!(hello(&fleet, "web1"));
    let new = fleet.folder().join("new.wasm");
    fs::copy(&bad, &new).unwrap();
    push(&fleet, &new, "web1", 1);
    assert!(!modules.join("new.wasm").exists());
}

#[test]
fn a_host_that_is_down_is_named_and_holds_up_nobody() {
    let mut fleet = Fleet::empty();
    let (file, _) = signed(&fleet, "greeting", "1");
    for name in ["web1", "web2"] {
        fleet.add_with(name, "[modules]\npush = true\nunsigned = true\n", &[]);
    }
    fleet.minion("web2").kill();
    let outcome = push(&fleet, &file, "*", 1);
    assert_eq!(outcome["hosts"]["web1"]["outcome"], "ok", "{outcome}");
    assert_eq!(outcome["hosts"]["web2"]["outcome"], "unreachable", "{outcome}");
}

#[test]
fn pushes_at_the_same_time_end_with_one_of_the_versions() {
    let mut fleet = Fleet::empty();
    let files = ["1", "2", "3"].map(|version| signed(&fleet, "greeting", version).0);
    let modules = fleet.add_with("web1", "[modules]\npush = true\nunsigned = true\n", &[]).modules();
    std::thread::scope(|scope| {
        // Each version twice, as two operators would.
        let pushes = files.iter().chain(&files).map(|file| scope.spawn(|| push(&fleet, file, "web1", 0)));
        for push in pushes.collect::<Vec<_>>() {
            push.join().unwrap();
        }
    });
    let there = fs::read(modules.join("greeting.wasm")).unwrap();
    assert!(files.iter().any(|file| fs::read(file).unwrap() == there));
    assert!(hello(&fleet, "web1"));
    let kept = fs::read_dir(fleet.folder().join("web1/replaced/greeting.wasm")).unwrap();
    assert!(kept.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "wasm").count() <= 5);
}

#[test]
fn a_push_that_was_cut_off_is_taken_back_at_the_next_start() {
    let mut fleet = Fleet::empty();
    let (first, key) = signed(&fleet, "greeting", "1");
    let (second, _) = signed(&fleet, "greeting", "2");
    let home = fleet.add_with("web1", &format!("[modules]\npush = true\ntrusted = [\"{key}\"]\n"), &[]).home.clone();
    push(&fleet, &first, "web1", 0);
    push(&fleet, &second, "web1", 0);
    fleet.minion("web1").kill();
    // As if it had ended between the two renames: the signature is new, the file is not.
    let (modules, replaced) = (home.join("modules"), home.join("replaced/greeting.wasm"));
    fs::write(modules.join("greeting.wasm.minisig"), fs::read(first.with_extension("wasm.minisig")).unwrap()).unwrap();
    let kept = fs::read_dir(&replaced).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let before = kept.into_iter().find(|name| !name.ends_with("minisig")).unwrap();
    fs::write(replaced.join("under-way"), before).unwrap();
    fleet.minion("web1").launch();
    crate::harness::until("the version before", || hello(&fleet, "web1").then_some(()));
    assert_eq!(fs::read(modules.join("greeting.wasm")).unwrap(), fs::read(&first).unwrap());
    assert!(!replaced.join("under-way").exists());
}
