//! Files go to a fleet and come back, whole, resumed, and only where the operators of the minions let them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use func::ca::Host;
use func::fleet::{Fetched, Fleet as Client, FleetOptions, Outcome, Request};
use func::ids::Digest;
use func::tls::Identity;
use func::transfer::Name;
use func::wire::{Call, Value};

use crate::harness::{Cutting, Fleet, noise};

/// A minion that lets everything below a folder of its own be written and read, and that folder.
fn open_fleet() -> (Fleet, PathBuf) {
    let mut fleet = Fleet::empty();
    let open = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&open).unwrap();
    let all = open.join("**").display().to_string();
    let grants = format!("[grants.copyfile]\nwrite = [\"{all}\"]\n[grants.getfile]\nread = [\"{all}\"]\n");
    fleet.add_with("web1", &grants, &[]);
    (fleet, open)
}

fn client(fleet: &Fleet) -> Client {
    Client::new(&Identity::in_folder(&fleet.home().join("identity")).unwrap(), FleetOptions::default()).unwrap()
}

fn host(fleet: &mut Fleet) -> Host {
    Host { name: "web1".parse().unwrap(), address: fleet.minion("web1").address.into() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn file(fleet: &Fleet, name: &str, bytes: &[u8]) -> String {
    let path = fleet.folder().join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn at(path: &Path) -> String {
    format!("web1:{}", path.display())
}

fn copy(fleet: &Fleet, local: &str, to: &str, code: i32) -> serde_json::Value {
    fleet.func(["copy", local, to, "--json"]).expect(code).json()["hosts"]["web1"].clone()
}

#[test]
fn a_file_takes_its_place_whole_with_its_mode() {
    let (fleet, open) = open_fleet();
    let local = file(&fleet, "app.conf", b"one");
    fs::set_permissions(&local, fs::Permissions::from_mode(0o4750)).unwrap();
    let place = open.join("app.conf");
    copy(&fleet, &local, &at(&place), 0);
    assert_eq!(fs::read(&place).unwrap(), b"one");
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o750, "no set-user-id bit");
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&place).unwrap());
    fs::write(&local, b"two").unwrap();
    copy(&fleet, &local, &format!("{}/", at(&open)), 0);
    assert_eq!(fs::read(&place).unwrap(), b"two");
    assert_ne!(before, std::os::unix::fs::MetadataExt::ino(&fs::metadata(&place).unwrap()), "by a rename");
    assert_eq!(fs::read_dir(&open).unwrap().count(), 1);
    assert_eq!(fs::read_dir(fleet.folder().join("web1/incoming")).unwrap().count(), 0);
}

#[test]
fn a_folder_gets_the_mode_that_it_has_here() {
    let (fleet, open) = open_fleet();
    let site = fleet.folder().join("site");
    fs::create_dir_all(site.join("closed/deep")).unwrap();
    fs::write(site.join("closed/deep/f"), "f").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let modes = [("closed/deep", 0o500), ("closed", 0o510), ("", 0o2751)];
    for (name, mode) in modes {
        fs::set_permissions(site.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    // The second time they are there, and one of them has another mode.
    for _ in 0..2 {
        copy(&fleet, &site.display().to_string(), &at(&open.join("site")), 0);
        assert_eq!(fs::read(open.join("site/closed/deep/f")).unwrap(), b"f");
        for (name, wanted) in modes {
            assert_eq!(mode(&open.join("site").join(name)), wanted & 0o777, "{name}: without set-group-id");
        }
        if nix::unistd::Uid::effective().is_root() {
            fs::set_permissions(open.join("site/closed"), fs::Permissions::from_mode(0o777)).unwrap();
        } else {
            break;
        }
    }
    for (name, _) in modes.into_iter().rev() {
        for folder in [site.join(name), open.join("site").join(name)] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[test]
fn nothing_is_written_or_read_that_is_not_granted() {
    let (fleet, open) = open_fleet();
    let local = file(&fleet, "f", b"bytes");
    let outside = fleet.folder().canonicalize().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "s").unwrap();
    symlink(&outside, open.join("way")).unwrap();
    symlink(outside.join("new"), open.join("dangling")).unwrap();
    symlink(outside.join("secret"), open.join("link")).unwrap();
    for place in
        [outside.join("f"), open.join("way/f"), open.join("dangling"), open.join("link"), open.join("../outside/f")]
    {
        let refused = copy(&fleet, &local, &at(&place), 1);
        assert_eq!(refused["error"]["type"], "Denied", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("[grants.copyfile]\nwrite = "), "{refused}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"s");
    // Not a byte was sent for it.
    assert!(fleet.audit("web1", "transfer.put").is_empty());

    let logs = fleet.folder().join("logs").display().to_string();
    for place in [outside.join("secret"), open.join("link"), open.join("way/secret")] {
        let refused = fleet.func(["fetch", &at(&place), &logs, "--json"]).expect(1).json();
        assert_eq!(refused["hosts"]["web1"]["error"]["type"], "Denied", "{refused}");
    }
    let all = fleet.func(["fetch", &at(&open), &logs, "--json"]).expect(0).json();
    assert_eq!(all["hosts"]["web1"]["value"]["files"], 0, "links are left out: {all}");
}

#[test]
fn a_folder_goes_there_and_comes_back() {
    let (fleet, open) = open_fleet();
    let site = fleet.folder().join("site");
    fs::create_dir_all(site.join("a/b")).unwrap();
    fs::create_dir(site.join("empty")).unwrap();
    for (name, bytes) in [("index", &b"index"[..]), ("a/one", b"1"), ("a/b/same", b"1"), ("a/b/none", b"")] {
        fs::write(site.join(name), bytes).unwrap();
    }
    let copied = copy(&fleet, site.to_str().unwrap(), &at(&open.join("www")), 0);
    assert_eq!(copied["value"]["files"], 4, "{copied}");
    let local = fleet.folder().join("back");
    fleet.func(["fetch", &at(&open.join("www")), local.to_str().unwrap()]).expect(0);
    let back = local.join("web1/www");
    for (name, bytes) in [("index", &b"index"[..]), ("a/one", b"1"), ("a/b/same", b"1"), ("a/b/none", b"")] {
        assert_eq!(fs::read(back.join(name)).unwrap(), bytes, "{name}");
    }
    assert!(back.join("empty").is_dir());
    assert_eq!(fs::read_dir(&back).unwrap().count(), 3, "nothing of the transfer is left");
}

#[test]
fn a_cut_fetch_goes_on_where_it_stopped() {
    let (mut fleet, open) = open_fleet();
    let bytes = noise(1, 6 << 20);
    fs::write(open.join("big"), &bytes).unwrap();
    let way = Cutting::to(fleet.minion("web1").address, &[u64::MAX, 1 << 20, 3 << 20]);
    fleet.func(["hosts", "set", "web1", &way.address().to_string()]).expect(0);
    let local = fleet.folder().join("back");
    fleet.func(["fetch", &at(&open.join("big")), local.to_str().unwrap()]).expect(0);
    assert_eq!(fs::read(local.join("web1/big")).unwrap(), bytes);
    assert!(way.connections() >= 4, "{}", way.connections());
    assert!(way.passed() < 8 << 20, "{} bytes for {}", way.passed(), bytes.len());
    assert_eq!(fs::read_dir(local.join("web1")).unwrap().count(), 1);
}

#[test]
fn a_fetch_goes_on_in_another_process_unless_the_file_is_another() {
    let (mut fleet, open) = open_fleet();
    let minion = fleet.minion("web1").address;
    let bytes = noise(1, 3 << 20);
    fs::write(open.join("big"), &bytes).unwrap();
    let local = fleet.folder().join("back");
    let fetch = |cuts: &[u64], code: i32| {
        let way = Cutting::to(minion, cuts);
        fleet.func(["hosts", "set", "web1", &way.address().to_string()]).expect(0);
        fleet.func(["fetch", &at(&open.join("big")), local.to_str().unwrap()]).expect(code);
        way.passed()
    };
    // The calls have a connection; the bytes come over others, until they do not come any more.
    fetch(&[u64::MAX, 1 << 20, 0, 0, 0, 0, 0, 0], 6);
    assert!(!local.join("web1/big").exists());
    let passed = fetch(&[], 0);
    assert!(passed < 5 << 19, "{passed} bytes for the rest of {}", bytes.len());
    assert_eq!(fs::read(local.join("web1/big")).unwrap(), bytes);

    fs::remove_file(local.join("web1/big")).unwrap();
    fetch(&[u64::MAX, 1 << 20, 0, 0, 0, 0, 0, 0], 6);
    let other: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
    fs::write(open.join("big"), &other).unwrap();
    fetch(&[], 0);
    assert_eq!(fs::read(local.join("web1/big")).unwrap(), other);
}

#[test]
fn whoever_asks_for_a_digest_gets_it_with_the_offer() {
    let (mut fleet, open) = open_fleet();
    fs::write(open.join("f"), "bytes").unwrap();
    let path = Value::from(open.join("f").display().to_string());
    let Outcome::Ok(Value::Struct(offered)) = fleet.ask("web1", "getfile.offer", vec![path]) else { panic!() };
    let digest = Digest::of(b"bytes");
    assert_eq!(offered["digest"], Value::from(format!("sha256:{digest}")));
    let (client, host) = (client(&fleet), host(&mut fleet));
    let file = tempfile::tempfile().unwrap();
    let fetched = runtime().block_on(client.fetch(&host, Name::Digest(digest), 5, (&file, 0), &|_| {}));
    assert!(matches!(fetched, Ok(Fetched::Whole(_))), "{fetched:?}");
    let fetched = runtime().block_on(client.fetch(&host, Name::fresh(), 5, (&file, 0), &|_| {}));
    assert!(matches!(fetched, Ok(Fetched::NotOffered)), "{fetched:?}");
}

#[test]
fn a_client_that_only_makes_calls_can_copy_too() {
    let (fleet, open) = open_fleet();
    let digest = Value::from(format!("sha256:{}", Digest::of(b"hello you")));
    let put = |offset: i64, bytes: &[u8]| {
        let params = vec![digest.clone(), Value::Int(9), Value::Int(offset), Value::Bytes(bytes.to_vec())];
        fleet.ask("web1", "transfer.put", params)
    };
    let at =
        |offset, whole| Outcome::Ok(Value::structure([("offset", Value::Int(offset)), ("whole", Value::Bool(whole))]));
    assert_eq!(put(0, b"hello"), at(5, false));
    assert!(matches!(put(0, b"hello"), Outcome::Failed(error) if error.message.contains("go on at the offset 5")));
    assert!(matches!(put(5, b" you and more"), Outcome::Failed(_)));
    assert_eq!(put(5, b" you"), at(9, true));
    let place = open.join("greeting");
    let manner = Value::structure([("mode", Value::Int(0o600))]);
    let params = vec![place.display().to_string().into(), digest.clone(), Value::Int(9), manner];
    assert!(matches!(fleet.ask("web1", "copyfile.put", params), Outcome::Ok(_)));
    assert_eq!(fs::read(place).unwrap(), b"hello you");
}

/// What is fetched of the folder `open`, as JSON.
fn fetched(fleet: &Fleet, open: &Path, code: i32) -> serde_json::Value {
    let local = fleet.folder().join("back").display().to_string();
    fleet.func(["fetch", &at(open), &local, "--json"]).expect(code).json()["hosts"]["web1"].clone()
}

#[test]
fn what_cannot_be_fetched_is_named_and_the_rest_is_fetched() {
    let (fleet, open) = open_fleet();
    fs::create_dir(open.join("deep")).unwrap();
    fs::write(open.join("deep/b.log"), "bb").unwrap();
    let whole = fetched(&fleet, &open, 0);
    assert_eq!(whole["value"], serde_json::json!({ "files": 1, "bytes": 2 }));

    // What is no file travels nowhere: it is told, and nothing is missing.
    symlink("b.log", open.join("deep/link")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(open.join("socket")).unwrap();
    nix::unistd::mkfifo(&open.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let told = fetched(&fleet, &open, 0);
    let left_out =
        serde_json::json!({ "deep/link": "it is a symbolic link", "pipe": "it is a pipe", "socket": "it is a socket" });
    assert_eq!(told["value"], serde_json::json!({ "files": 1, "bytes": 2, "left_out": left_out }));
    drop(socket);

    // A file without a name that can be asked for is missing.
    fs::write(open.join(OsStr::from_bytes(b"deep/odd\xff.log")), "c").unwrap();
    fs::remove_dir_all(fleet.folder().join("back")).unwrap();
    let failed = fetched(&fleet, &open, 1);
    let message =
        "1 could not be fetched; the other 1 files, 2 bytes, are here\n`deep/odd\\xff.log`: its name is not UTF-8";
    assert_eq!((&failed["error"]["type"], &failed["error"]["message"]), (&"Incomplete".into(), &message.into()));
    assert_eq!(fs::read(fleet.folder().join("back/web1/open/deep/b.log")).unwrap(), b"bb");
    let shown = fleet.func(["fetch", &at(&open), &fleet.folder().join("back").display().to_string()]).expect(1).out;
    assert!(shown.contains("`deep/odd\\xff.log`: its name is not UTF-8\n1 failed: 1 host"), "{shown}");
}

#[test]
fn a_file_that_goes_while_a_directory_is_fetched_holds_up_no_other() {
    let (mut fleet, open) = open_fleet();
    for name in ["a", "b", "c"] {
        fs::write(open.join(name), name).unwrap();
    }
    let (client, host) = (client(&fleet), host(&mut fleet));
    let ask = |call: &Call| {
        // Between the list and the offer: it is gone, or may not be opened any more.
        if call.method.as_str() == "getfile.offer" && call.params == [at_path(&open.join("b"))] {
            fs::remove_file(open.join("b")).unwrap();
        }
        Request::new(call)
    };
    let local = fleet.folder().join("back");
    let path = open.display().to_string();
    let outcome = runtime().block_on(client.fetch_tree(&host, &path, &local, &ask, &|_| {}));
    let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
    assert!(
        error.message.starts_with("1 could not be fetched; the other 2 files, 2 bytes, are here\n`b`: "),
        "{error}"
    );
    assert_eq!(fs::read(local.join("open/c")).unwrap(), b"c");
}

fn at_path(path: &Path) -> Value {
    path.display().to_string().into()
}

#[test]
fn nothing_is_told_of_what_may_not_be_read() {
    let mut fleet = Fleet::empty();
    let open = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&open).unwrap();
    fs::write(open.join("a.log"), "a").unwrap();
    let at = open.display();
    let grants = format!("[grants.getfile]\nread = [\"{at}\", \"{at}/*.log\"]\n");
    fleet.add_with("web1", &grants, &[]);
    fs::write(open.join(OsStr::from_bytes(b"not-granted\xff")), "b").unwrap();
    fs::write(open.join("not-granted"), "b").unwrap();
    symlink("/etc/shadow", open.join("link")).unwrap();
    symlink("/etc/shadow", open.join("link.log")).unwrap();
    let told = fetched(&fleet, &open, 0);
    let left_out = serde_json::json!({ "link.log": "it is a symbolic link" });
    assert_eq!(told["value"], serde_json::json!({ "files": 1, "bytes": 1, "left_out": left_out }));
}
