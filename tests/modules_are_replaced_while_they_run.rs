//! A module is added, replaced or removed while its minion runs; a broken file changes nothing.

use std::fs;
use std::path::Path;

use func::fleet::Outcome;
use func::ids::Digest;
use func::wire::Value;

use crate::harness::{Fleet, Gate, guest, shipped_modules, until};

fn shipped(name: &str) -> &'static Path {
    &shipped_modules().modules.iter().find(|built| built.name == name).unwrap().path
}

/// Puts a file into place as an installer does: whole, by rename.
fn install(bytes: &[u8], folder: &Path, name: &str) {
    let arriving = folder.join(".arriving");
    fs::write(&arriving, bytes).unwrap();
    fs::rename(&arriving, folder.join(name)).unwrap();
}

#[test]
fn a_dropped_file_is_served_and_a_removed_one_is_not() {
    let mut fleet = Fleet::empty();
    let folder = fleet.add_with("m1", "", &[]).modules();
    let hello = |fleet: &Fleet| fleet.ask("m1", "greeting.hello", vec!["you".into()]);
    assert!(matches!(hello(&fleet), Outcome::Failed(_)));
    fs::copy(shipped("greeting"), folder.join("greeting.wasm")).unwrap();
    until("the new module", || (hello(&fleet) == Outcome::Ok("Hello, you!".into())).then_some(()));
    fs::remove_file(folder.join("greeting.wasm")).unwrap();
    until("the module to go", || matches!(hello(&fleet), Outcome::Failed(_)).then_some(()));
}

#[test]
fn the_new_version_serves_and_calls_in_flight_end_on_the_old_one() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    let rogue = guest("rogue");
    let folder = fleet.add_with("m1", &gate.settings(), &[&rogue, shipped("greeting")]).modules();
    let pid = fleet.minion("m1").pid();

    // The same code with one more custom section is another version of the module.
    let old = fs::read(&rogue).unwrap();
    let mut new = old.clone();
    new.extend_from_slice(b"\0\x05\x04note");
    std::thread::scope(|scope| {
        let fleet = &fleet;
        let in_flight = scope.spawn(move || fleet.ask("m1", "rogue.pass_gate", vec!["first".into()]));
        until("the call to be in flight", || (gate.lines() == ["first"]).then_some(()));
        install(&new, &folder, "rogue.wasm");
        install(&fs::read(&shipped_modules().greeting_2.path).unwrap(), &folder, "greeting.wasm");
        let goodbye = || fleet.ask("m1", "greeting.goodbye", vec!["you".into()]);
        until("the new version of greeting", || matches!(goodbye(), Outcome::Ok(_)).then_some(()));
        until("the new version of rogue", || {
            fleet.ask("m1", "rogue.hold", vec![Value::Int(0)]);
            let lines = fleet.audit("m1", "rogue.hold");
            (lines.last()?["digest"] == Digest::of(&new).to_string()).then_some(())
        });
        assert!(!in_flight.is_finished(), "the call in flight was cut off");
        gate.open("passed");
        assert_eq!(in_flight.join().unwrap(), Outcome::Ok("passed".into()));
    });
    assert_eq!(fleet.audit("m1", "rogue.pass_gate")[0]["digest"], Digest::of(&old).to_string());
    assert_eq!(fleet.minion("m1").pid(), pid, "nothing was restarted");
}

/// The line in which the minion says that this file does not load, once it is in the log behind `from`.
fn refusal(fleet: &mut Fleet, from: usize, file: &str, words: &[&str]) -> String {
    until(&format!("the refusal of {file} that says {words:?}"), || {
        let log = fleet.minion("m1").log();
        let mut lines = log[from..].lines().filter(|line| line.contains("a plugin does not load"));
        lines.find(|line| line.contains(file) && words.iter().all(|word| line.contains(word))).map(str::to_owned)
    })
}

/// `greeting.hello` is answered, by the code with this digest.
#[track_caller]
fn still_serves(fleet: &Fleet, what: &str, code: &[u8]) {
    assert_eq!(fleet.ask("m1", "greeting.hello", vec!["you".into()]), Outcome::Ok("Hello, you!".into()), "{what}");
    let lines = fleet.audit("m1", "greeting.hello");
    assert_eq!(lines.last().unwrap()["digest"], Digest::of(code).to_string(), "{what}");
    let outcome = fleet.ask("m1", "greeting.goodbye", vec!["you".into()]);
    assert!(matches!(&outcome, Outcome::Failed(error) if error.kind == "NoSuchMethod"), "{what}: {outcome:?}");
}

const MISSING: [&str; 2] = ["acme:weather/forecast@1.0.0#tomorrow", "acme:weather/tides@1.0.0#high"];

#[test]
fn a_broken_file_leaves_the_old_version_serving_and_says_why() {
    let mut fleet = Fleet::empty();
    let good = fs::read(shipped("greeting")).unwrap();
    let folder = fleet.add_with("m1", "", &[shipped("greeting")]).modules();
    let core_module = b"\0asm\x01\0\0\0".to_vec();
    let broken: [(&str, Vec<u8>, &[&str]); 5] = [
        ("empty", Vec::new(), &["the file is empty"]),
        ("truncated", good[..good.len() / 2].to_vec(), &["the component is damaged or cut short"]),
        ("garbage", b"this is no module at all".to_vec(), &["the file is not WebAssembly"]),
        ("core module", core_module, &["a core module, not a component", "func module build"]),
        ("foreign imports", fs::read(guest("wants-more")).unwrap(), &MISSING),
    ];
    for (what, bytes, words) in broken {
        let before = fleet.minion("m1").log().len();
        install(&bytes, &folder, "greeting.wasm");
        let line = refusal(&mut fleet, before, "greeting.wasm", words);
        assert!(line.contains("still_serving=true"), "{what}: {line}");
        still_serves(&fleet, what, &good);
    }
    // What was broken so often is replaced by the next good file.
    install(&fs::read(&shipped_modules().greeting_2.path).unwrap(), &folder, "greeting.wasm");
    let goodbye = || fleet.ask("m1", "greeting.goodbye", vec!["you".into()]);
    until("the new version", || matches!(goodbye(), Outcome::Ok(_)).then_some(()));
}

#[test]
fn a_broken_file_that_was_never_good_is_named_and_harms_nobody() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[&guest("wants-more"), shipped("greeting")]);
    let line = refusal(&mut fleet, 0, "wants-more.wasm", &MISSING);
    assert!(line.contains("imports what this host does not offer") && line.contains("still_serving=false"), "{line}");
    still_serves(&fleet, "wants-more", &fs::read(shipped("greeting")).unwrap());
}

#[test]
fn of_two_plugins_with_one_name_the_second_is_refused_and_both_are_named() {
    let mut fleet = Fleet::empty();
    let folder = fleet.add_with("m1", "", &[shipped("greeting")]).modules();
    install(&fs::read(&shipped_modules().greeting_2.path).unwrap(), &folder, "other.wasm");
    let (first, second) = (folder.join("greeting.wasm"), folder.join("other.wasm"));
    let (first, second) = (first.display(), second.display());
    let words =
        format!("the module `base:greeting/greeting` is already provided by `{first}`, so `{second}` is refused");
    refusal(&mut fleet, 0, "other.wasm", &[&words]);
    still_serves(&fleet, "the second file", &fs::read(shipped("greeting")).unwrap());
    // The name is free when its holder is gone.
    fs::remove_file(folder.join("greeting.wasm")).unwrap();
    let goodbye = || fleet.ask("m1", "greeting.goodbye", vec!["you".into()]);
    until("the second file to be served", || matches!(goodbye(), Outcome::Ok(_)).then_some(()));
}
