//! An authority whose key is sealed with a passphrase signs for whoever knows it, and for nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{Answer, Fleet};

#[test]
fn every_command_that_signs_wants_the_passphrase_and_the_others_do_not() {
    let fleet = Fleet::empty();
    let file = |name: &str, text: &str| {
        let path = fleet.folder().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, wrong) = (file("good", "correct horse\n"), file("wrong", "battery staple\n"));
    fleet.func(["ca", "passphrase", "--new-passphrase-file", &good]).expect(0);
    let issue = |name: &str, passphrase: &str| {
        let out = fleet.folder().join(name);
        let words = ["ca", "issue", name, "--role", "minion", "--out", out.to_str().unwrap()];
        fleet.func(words.into_iter().chain(["--passphrase-file", passphrase]))
    };
    for told in [
        issue("web1", &wrong),
        fleet.func(["ca", "revoke", "overlord", "--passphrase-file", &wrong]),
        fleet.func(["ca", "passphrase", "--remove", "--passphrase-file", &wrong]),
    ] {
        assert!(told.expect(3).err.contains("this is not the passphrase of"));
    }
    assert!(issue("web1", &file("empty", "\n")).expect(2).err.contains("empty"));
    issue("web1", "/does/not/exist").expect(3);
    issue("web1", &good).expect(0);
    let by_environment = fleet.command(["ca", "revoke", "web1"]).env("FUNC_CA_PASSPHRASE_FILE", &good).output();
    Answer::from(by_environment.unwrap()).expect(0);

    // What only looks, or makes a token, signs nothing.
    for words in [&["ca", "list"][..], &["ca", "show"], &["ca", "token", "--for", "web2"]] {
        fleet.func(words).expect(0);
    }
    let other = file("other", "a third one");
    fleet.func(["ca", "passphrase", "--passphrase-file", &good, "--new-passphrase-file", &other]).expect(0);
    issue("web3", &good).expect(3);
    fleet.func(["ca", "passphrase", "--passphrase-file", &other, "--remove"]).expect(0);
    fleet.func(["ca", "issue", "web3", "--role", "minion"]).expect(0);
    let audit = fleet.func(["audit", "show", "--ca", "--outcome", "passphrase-set", "--json"]).expect(0).json();
    assert_eq!(audit.as_array().unwrap().len(), 3);
}

#[test]
fn an_authority_is_sealed_from_its_beginning() {
    let fleet = Fleet::empty();
    let home = fleet.folder().join("sealed");
    let file = fleet.folder().join("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    let init = fleet.command(["ca", "init", "--passphrase-file"]).arg(&file).env("FUNC_HOME", &home).output();
    Answer::from(init.unwrap()).expect(0);
    assert!(fs::read_to_string(home.join("ca/ca-key.pem")).unwrap().contains("BEGIN ENCRYPTED PRIVATE KEY"));
    let mut issue = fleet.command(["ca", "issue", "web1", "--role", "minion", "--passphrase-file"]);
    Answer::from(issue.arg(&file).env("FUNC_HOME", &home).output().unwrap()).expect(0);
}

#[test]
fn nobody_else_may_read_the_key_and_it_is_told_when_they_may_read_the_passphrase() {
    let fleet = Fleet::empty();
    let file = fleet.folder().join("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    let at = file.to_str().unwrap();
    let key = fleet.home().join("ca/ca-key.pem");
    let mode = || fs::metadata(&key).unwrap().permissions().mode() & 0o7777;
    for (file_mode, warns) in [(0o644, true), (0o640, true), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(file_mode)).unwrap();
        for words in [["--new-passphrase-file", at].as_slice(), &["--passphrase-file", at, "--remove"]] {
            let told = fleet.func([&["ca", "passphrase"], words].concat()).expect(0);
            assert_eq!(told.err.contains(&format!("run `chmod 600 {at}`")), warns, "{file_mode:o}: {}", told.err);
            assert_eq!(mode(), 0o600);
        }
    }
}
