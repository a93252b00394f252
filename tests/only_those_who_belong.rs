//! How a machine comes to belong to a fleet, from the command line: with a token, and without one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Answer, Door, Fleet, Minion, until};

fn funcd(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_funcd"));
    command.args(arguments).env("FUNC_HOME", home).stdin(Stdio::null());
    command
}

pub(crate) fn join(home: &Path, arguments: &[&str]) -> Answer {
    funcd(home, &[&["join"], arguments].concat()).output().unwrap().into()
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

#[test]
fn a_line_is_carried_to_a_new_machine_and_the_machine_answers_calls() {
    let fleet = Fleet::empty();
    let door = Door::open(&fleet);
    let token = fleet.func(["ca", "token", "--for", "web*", "--address", &door.address]).expect(0).out;
    let token = token.strip_prefix("funcd join ").expect("one line to run");
    let home = fleet.folder().join("web1");
    let told = join(&home, &[token, "--name", "web1"]).expect(0);
    assert!(told.out.contains("belongs as `web1`"), "{}", told.out);

    fs::create_dir_all(cache()).unwrap();
    let minion = Minion::start("web1", &home, &cache(), "");
    fleet.func(["hosts", "set", "web1", &minion.address.to_string()]).expect(0);
    fleet.func(["ping", "web1"]).expect(0);
    assert_eq!(fs::metadata(home.join("identity/key.pem")).map(|meta| mode(&meta)).unwrap(), 0o600);

    // A machine that belongs is left as it is; the token is used up for all others.
    assert!(join(&home, &[token, "--name", "web1"]).expect(4).err.contains("exists already"));
    let again = join(&fleet.folder().join("web2"), &[token, "--name", "web2"]).expect(4);
    assert!(again.err.contains("used before"), "{}", again.err);
    let audit = fs::read_to_string(fleet.home().join("ca/audit.jsonl")).unwrap();
    for event in ["token-made", "signed", "refused"] {
        assert!(audit.contains(&format!("\"event\":\"{event}\"")), "{audit}");
    }
}

fn mode(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o777
}

#[test]
fn a_machine_without_a_token_waits_until_the_operator_has_compared_and_signed() {
    let fleet = Fleet::empty();
    let door = Door::open(&fleet);
    let home = fleet.folder().join("db1");
    let arguments = ["join", "--overlord", &door.address, "--name", "db1", "--address", "127.0.0.1:4711"];
    let mut waiting = funcd(&home, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let fingerprint = line.trim_end().strip_prefix("fingerprint: ").unwrap_or_else(|| panic!("{line}"));

    let pending = fleet.func(["ca", "list", "--pending", "--json"]).expect(0).json();
    assert_eq!((&pending[0]["name"], &pending[0]["fingerprint"]), (&"db1".into(), &fingerprint.into()), "{pending}");
    fleet.func(["ca", "sign", "nobody"]).expect(3);
    fleet.func(["ca", "sign", "db1"]).expect(0);
    let ended = until("the machine to get its certificate", || waiting.try_wait().unwrap());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(ended.success(), "{rest}");
    assert!(home.join("identity/cert.pem").exists());
    let hosts = fleet.func(["hosts", "--json"]).expect(0).json();
    assert_eq!((&hosts[0]["name"], &hosts[0]["address"]), (&"db1".into(), &"127.0.0.1:4711".into()), "{hosts}");
    assert!(fleet.func(["ca", "list", "--pending"]).expect(0).out.contains("nobody waits"));
    assert!(fleet.func(["ca", "show", "db1"]).expect(0).out.contains(fingerprint));
}

#[test]
fn what_a_machine_is_told_when_it_cannot_join_says_what_to_do() {
    let fleet = Fleet::empty();
    let home = fleet.folder().join("web1");
    let damaged = join(&home, &["abc", "--name", "web1"]).expect(2);
    assert!(damaged.err.contains("not a whole token"), "{}", damaged.err);
    let token = fleet.func(["ca", "token", "--for", "web1", "--address", "127.0.0.1:1", "--json"]).expect(0).json();
    let nobody = join(&home, &[token["token"].as_str().unwrap(), "--name", "web1"]).expect(6);
    assert!(nobody.err.contains("func ca serve"), "{}", nobody.err);
    // Another authority at the address is refused before anything is sent.
    let other = Fleet::empty();
    let door = Door::open(&other);
    let token = fleet.func(["ca", "token", "--for", "web1", "--address", &door.address, "--json"]).expect(0).json();
    let refused = join(&home, &[token["token"].as_str().unwrap(), "--name", "web1"]).expect(4);
    assert!(refused.err.contains("nothing was sent"), "{}", refused.err);
    assert!(other.func(["ca", "list", "--pending"]).expect(0).out.contains("nobody waits"));
}

#[test]
fn a_certificate_is_renewed_while_the_minion_serves() {
    let fleet = Fleet::start(["web1"]);
    let identity = fleet.minions[0].home.join("identity");
    let read = || (fs::read(identity.join("cert.pem")).unwrap(), fs::read(identity.join("key.pem")).unwrap());
    let (before, pid) = (read(), fleet.minions[0].pid());
    let due = fleet.func(["ca", "renew", "--json"]).expect(0).json();
    assert_eq!((&due["web1"]["state"], read() == before), (&"not-due".into(), true), "{due}");
    let renewed = fleet.func(["ca", "renew", "web1", "--now", "--days", "30", "--json"]).expect(0).json();
    assert_eq!(renewed["web1"]["state"], "renewed", "{renewed}");
    let after = read();
    assert!(after.0 != before.0 && after.1 != before.1);
    fleet.func(["ping"]).expect(0);
    // It is the new one that is shown: the old one is not believed any more.
    let list = fleet.func(["ca", "list", "--json"]).expect(0).json();
    let serials: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["name"] == "web1")
        .map(|entry| entry["serial"].as_str().unwrap())
        .collect();
    assert_eq!(serials.len(), 2);
    fleet.func(["ca", "revoke", serials[0]]).expect(0);
    fleet.func(["ping"]).expect(0);
    assert_eq!(fleet.minions[0].pid(), pid);
}
