//! A minion loads what somebody signed whom its operator trusts, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use func::fleet::Outcome;

use crate::harness::{Answer, Fleet, shipped_modules, until};

/// A copy of `greeting`, signed with the fleet's own key, and that key.
fn signed_greeting(fleet: &Fleet) -> (PathBuf, String) {
    let shipped = shipped_modules().modules.iter().find(|built| built.name == "greeting").unwrap();
    let copy = fleet.folder().join("greeting.wasm");
    fs::copy(&shipped.path, &copy).unwrap();
    let signed = fleet.func(["module", "sign", copy.to_str().unwrap(), "--json"]).expect(0);
    let key = signed.json()[0]["public"].as_str().unwrap().to_owned();
    assert!(signed.err.contains(&format!("[modules] trusted = [\"{key}\"]")), "{}", signed.err);
    (copy, key)
}

fn signature(file: &Path) -> PathBuf {
    file.with_extension("wasm.minisig")
}

#[test]
fn a_module_waits_for_a_trusted_signature_and_then_serves() {
    let mut fleet = Fleet::empty();
    let (greeting, key) = signed_greeting(&fleet);
    let trust = format!("[modules]\ntrusted = [\"{key}\"]\n");
    let modules = fleet.add_with("web1", &trust, &[&greeting]).modules();
    let hello = |fleet: &Fleet| fleet.ask("web1", "greeting.hello", vec!["you".into()]);
    assert!(!matches!(hello(&fleet), Outcome::Ok(_)));
    let log = fleet.minion("web1").log();
    let line = log.lines().find(|line| line.contains("greeting.wasm")).unwrap();
    assert!(line.contains("it is not signed"), "{line}");

    fs::copy(signature(&greeting), modules.join("greeting.wasm.minisig")).unwrap();
    until("the signed module", || matches!(hello(&fleet), Outcome::Ok(_)).then_some(()));
}

#[test]
fn a_stranger_is_told_by_the_key_and_the_line_to_add() {
    let mut fleet = Fleet::empty();
    let (greeting, key) = signed_greeting(&fleet);
    let home = fleet.add_with("web1", "[modules]\n", &[&greeting]).home.clone();
    fs::copy(signature(&greeting), home.join("modules/greeting.wasm.minisig")).unwrap();
    let minion = fleet.minion("web1");
    let line = until("the refusal", || {
        minion.log().lines().find(|line| line.contains("is not trusted here")).map(str::to_owned)
    });
    assert!(line.contains(&format!("trusted = [\\\"{}…\\\"]", &key[..13])) || line.contains(&key[..13]), "{line}");
}

#[test]
fn signatures_are_checked_by_hand() {
    let fleet = Fleet::empty();
    let (greeting, key) = signed_greeting(&fleet);
    let verify = |more: &[&str]| {
        let words = ["module", "verify", greeting.to_str().unwrap()];
        fleet.func(words.into_iter().chain(more.iter().copied()))
    };
    assert!(verify(&[]).expect(0).out.contains("file:greeting.wasm"));
    assert_eq!(verify(&["--json"]).json()[0]["public"], key.as_str());
    verify(&["--key", &key]).expect(0);
    let other = "RWShUuMOxxGeyOIF3wnegTvOTS3mVslyp+6Rzde0yG9skoVXswgJr6tB";
    let refused = verify(&["--key", other]).expect(3).err;
    assert!(refused.contains("is not trusted here"), "{refused}");
    assert!(refused.contains("Anybody can make a key") && refused.contains("only if that begins with"), "{refused}");

    let inspect = |more: &[&str]| {
        let words = ["module", "inspect", greeting.to_str().unwrap()];
        fleet.func(words.into_iter().chain(more.iter().copied())).expect(0)
    };
    let id = verify(&["--json"]).json()[0]["key"].as_str().unwrap().to_owned();
    assert!(inspect(&[]).out.contains(&format!("signed by: the key {id}\n")), "{}", inspect(&[]).out);
    assert_eq!(inspect(&["--json"]).json()[0]["signed_by"]["key"], id.as_str());
    let stranger = fleet.command(["module", "inspect", greeting.to_str().unwrap()]);
    let stranger: Answer = { stranger }.env("FUNC_HOME", fleet.folder().join("nobody")).output().unwrap().into();
    assert!(stranger.expect(0).out.contains(&format!("signed by: the key {id}, which is not known here")));
    // Without a file it is the project here.
    let lost = fleet.command(["module", "verify"]).current_dir(fleet.folder()).output().unwrap();
    assert!(Answer::from(lost).expect(3).err.contains("has a Cargo.toml or a module.toml"));
    let project = fleet.folder().join("project");
    fs::create_dir_all(project.join("target/modules")).unwrap();
    fs::write(project.join("module.toml"), "").unwrap();
    let here = || Answer::from(fleet.command(["module", "verify"]).current_dir(&project).output().unwrap());
    assert!(here().expect(2).err.contains("func module build"));
    fs::copy(&greeting, project.join("target/modules/greeting.wasm")).unwrap();
    fs::copy(signature(&greeting), project.join("target/modules/greeting.wasm.minisig")).unwrap();
    assert!(here().expect(0).out.contains(&id));

    let mut bytes = fs::read(&greeting).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&greeting, bytes).unwrap();
    assert!(verify(&[]).expect(3).err.contains("is not of these bytes"));
    assert!(inspect(&[]).out.contains("signed by: nobody: its signature, which names the key"));
    fs::remove_file(signature(&greeting)).unwrap();
    assert!(verify(&[]).expect(3).err.contains("it is not signed"));
    assert!(inspect(&[]).out.contains("signed by: nobody\n"));
}
