//! The command line says what it did, and what to do next when it could not.

use func::ca::IssueRequest;
use func::tls::Role;

use crate::client::authority;
use crate::harness::{Answer, Fleet, shipped_modules};

#[test]
fn an_authority_is_made_once_and_never_replaced() {
    let fleet = Fleet::empty();
    let key = std::fs::read(fleet.home().join("ca/ca-key.pem")).unwrap();
    let again = fleet.func(["ca", "init"]).expect(3);
    assert!(again.err.contains("already"), "{}", again.err);
    assert_eq!(std::fs::read(fleet.home().join("ca/ca-key.pem")).unwrap(), key);
}

#[test]
fn an_issued_minion_is_in_the_inventory() {
    let fleet = Fleet::empty();
    fleet.func(["ca", "issue", "web1", "--role", "minion", "--address", "127.0.0.1:4000"]).expect(0);
    fleet.func(["hosts", "set", "web2", "127.0.0.1:4001"]).expect(0);
    let hosts = fleet.func(["hosts", "--json"]).expect(0).json();
    assert_eq!(hosts[0]["name"], "web1");
    assert_eq!(hosts[0]["address"], "127.0.0.1:4000");
    assert_eq!(hosts[1]["name"], "web2");
    for words in [
        &["hosts", "set", "web3", "127.0.0.1:4000"][..],
        &["ca", "issue", "web4", "--role", "minion", "--address", "127.0.0.1:4000"],
    ] {
        let told = fleet.func(words).expect(0).err;
        assert!(told.starts_with("warning: 127.0.0.1:4000 is the address of web"), "{told}");
    }
    assert_eq!(fleet.func(["hosts", "set", "web4", "127.0.0.1:4004"]).expect(0).err, "");
    assert!(fleet.func(["hosts", "set", "web5", "::1:5"]).expect(2).err.contains("[::1]:51234"));
    let key = fleet.home().join("issued/web1/key.pem");
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(key).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let again = fleet.func(["ca", "issue", "web1", "--role", "minion"]).expect(3);
    assert!(again.err.contains("key.pem` exists already"), "{}", again.err);
    fleet.func(["hosts", "remove", "web2"]).expect(0);
    assert!(fleet.func(["hosts", "remove", "web2"]).expect(5).err.contains("hint: "));
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let fleet = Fleet::empty();
    fleet.func(["ca", "issue", "web 1", "--role", "minion"]).expect(2);
    fleet.func(["ca", "issue", "web1", "--role", "king"]).expect(2);
    fleet.func(["frobnicate"]).expect(2);
    fleet.func(["--help"]).expect(0);
}

#[test]
fn a_usage_error_is_json_when_that_is_asked_for() {
    let fleet = Fleet::empty();
    for words in [&["frobnicate", "--json"][..], &["--json", "call"], &["call", "a b", "test.add", "--json"]] {
        let refused = fleet.func(words).expect(2);
        let told: serde_json::Value = serde_json::from_str(&refused.err).unwrap();
        assert_eq!(told["exit"], 2);
        assert!(told["error"].is_string() && !told["error"].as_str().unwrap().starts_with("error"), "{told}");
    }
    assert!(fleet.func(["call", "a b", "test.add", "--", "--json"]).expect(2).err.starts_with("error: "));
}

#[test]
fn a_long_word_is_not_thrown_back_whole() {
    let fleet = Fleet::start(["web1"]);
    let long = "x y".repeat(500);
    let timeout = format!("--timeout={long}");
    for words in [
        &["call", &long, "test.add"][..],
        &["call", "*", &long],
        &["ping", &timeout],
        &["hosts", &long],
        &["hosts", "set", "web1", &long],
        &["job", "status", &long],
        &[&long],
        &["call", "web1", "test.add", &long, "2"],
    ] {
        let told = fleet.func(words).expect(2).err;
        assert!(told.len() < 700, "{words:?}: {told}");
    }
}

#[test]
fn a_target_without_hosts_has_an_exit_code_of_its_own() {
    let fleet = Fleet::empty();
    let answer = fleet.func(["hosts", "web*"]).expect(5);
    assert!(answer.err.contains("func ca issue"), "{}", answer.err);
}

#[test]
fn funcd_is_func_minion() {
    let shown = |program: &str, arguments: &[&str]| {
        Answer::from(std::process::Command::new(program).args(arguments).output().unwrap()).expect(0).out
    };
    let config = shown(env!("CARGO_BIN_EXE_funcd"), &["--print-config"]);
    assert!(config.contains("listen = \"0.0.0.0:51234\""));
    assert_eq!(config, shown(env!("CARGO_BIN_EXE_func"), &["minion", "--print-config"]));
}

#[test]
fn funcd_serves_calls_and_jobs() {
    let mut fleet = Fleet::empty();
    let test = &shipped_modules().modules.iter().find(|built| built.name == "test").unwrap().path;
    fleet.add_as(env!("CARGO_BIN_EXE_funcd"), &[], "m1", "", &[test]);
    let answer = fleet.func(["call", "m1", "test.add", "40", "2", "--json"]).expect(0).json();
    assert_eq!(answer["hosts"]["m1"]["value"], 42);
    let job = fleet.func(["call", "m1", "test.add", "40", "2", "--async", "--json"]).expect(0).json();
    assert_eq!(job["hosts"]["m1"]["result"]["value"], 42);
}

#[test]
fn a_named_configuration_that_is_not_there_is_no_reason_to_serve_the_defaults() {
    let fleet = Fleet::empty();
    let refused = fleet.func(["minion", "--config", "/no/such/minion.toml"]).expect(3);
    assert!(refused.err.contains("/no/such/minion.toml"), "{}", refused.err);
    fleet.func(["minion", "--check", "--config", "/no/such/minion.toml"]).expect(3);
    let home = fleet.folder().join("web1");
    let identity = home.join("identity");
    fleet.func(["ca", "issue", "web1", "--role", "minion", "--out", identity.to_str().unwrap()]).expect(0);
    let check =
        |fleet: &Fleet| Answer::from(fleet.command(["minion", "--check"]).env("FUNC_HOME", &home).output().unwrap());
    let defaults = check(&fleet).expect(0);
    assert!(defaults.out.contains("the defaults are used"), "{}", defaults.out);
    std::fs::write(home.join("minion.toml"), "[grants.nosuch]\n").unwrap();
    let warned = check(&fleet).expect(0);
    assert!(warned.err.contains("[grants.nosuch]"), "{}", warned.err);
    std::fs::write(home.join("minion.toml"), "[jobs]\nworkers = 0\n").unwrap();
    let refused = check(&fleet).expect(3);
    assert!(refused.err.contains("workers = 0"), "{}", refused.err);
}

#[test]
fn a_minion_starts_with_nobody_else_s_identity_and_with_no_expired_one() {
    let fleet = Fleet::empty();
    let refused = |home: &std::path::Path, why: &str| {
        for arguments in [&["minion", "--check"][..], &["minion", "--listen", "127.0.0.1:0"]] {
            let answer = fleet.command(arguments).env("FUNC_HOME", home).output().unwrap();
            let answer = Answer::from(answer).expect(4);
            assert!(answer.err.contains(why) && answer.err.contains("func ca issue"), "{}", answer.err);
        }
    };
    refused(&fleet.home(), "`overlord`");
    let (home, long_ago) = (fleet.folder().join("web1"), time::OffsetDateTime::now_utc() - time::Duration::days(3));
    let mut wish = IssueRequest::new("web1".parse().unwrap(), Role::Minion);
    (wish.not_before, wish.days) = (Some(long_ago), 1);
    authority(&fleet).issue(&wish).unwrap().save(&home.join("identity")).unwrap();
    refused(&home, "expired");
}

#[test]
fn a_minion_without_an_identity_says_what_to_put_where() {
    let fleet = Fleet::empty();
    let home = fleet.folder().join("nobody");
    let answer = fleet.command(["minion", "--listen", "127.0.0.1:0"]).env("FUNC_HOME", &home).output().unwrap();
    let answer = Answer::from(answer).expect(4);
    assert!(answer.err.contains("cert.pem") && answer.err.contains("func ca issue"), "{}", answer.err);
}

#[test]
fn hosts_that_are_down_do_not_take_the_types_of_a_call_away() {
    let mut fleet = Fleet::start(["web1"]);
    for name in ["a1", "a2", "a3", "a4"] {
        // Nobody listens there: the port was given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fleet.func(["hosts", "set", name, &format!("127.0.0.1:{port}")]).expect(0);
    }
    let answer = fleet.func(["call", "*", "greeting.hello", "123", "--json"]).expect(1).json();
    assert_eq!(answer["hosts"]["web1"]["value"], "Hello, 123!");
    assert_eq!(answer["summary"]["unreachable"], 4);
    assert!(fleet.func(["doc", "test.add"]).expect(0).out.contains("Adds two numbers"));
    fleet.minion("web1").stop();
    assert!(fleet.func(["call", "*", "greeting.hello", "123"]).expect(6).err.contains("no host told the types"));
}

#[test]
fn the_timeout_is_for_all_that_is_waited_for() {
    let mut fleet = Fleet::start(["web1"]);
    fleet.minion("web1").freeze();
    let began = std::time::Instant::now();
    // The types are asked for first, and then the method is called.
    let answer = fleet.func(["call", "web1", "test.add", "1", "2", "--timeout", "6s"]).expect(6);
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(answer.out.contains("unreachable"), "{}", answer.out);
    fleet.minion("web1").thaw();
}

#[test]
fn a_store_that_cannot_be_used_is_named_with_what_to_do() {
    let fleet = Fleet::empty();
    std::fs::write(fleet.home().join("store"), "in the way").unwrap();
    let refused = fleet.func(["job", "list"]).expect(3);
    assert!(
        refused.err.contains("store`") && refused.err.contains("hint: something else is in its place"),
        "{}",
        refused.err
    );
}

#[test]
fn a_home_in_which_there_is_no_fleet_is_named_and_left_as_it_is() {
    let fleet = Fleet::empty();
    let nowhere = fleet.folder().join("mistyped");
    let func = |words: &[&str]| Answer::from(fleet.command(words).env("FUNC_HOME", &nowhere).output().unwrap());
    let inventory = nowhere.join("inventory.toml").display().to_string();
    for words in
        [&["hosts"][..], &["ping"], &["doc"], &["call", "*", "test.add"], &["call", "*", "test.add", "--async"]]
    {
        let refused = func(words).expect(5);
        assert!(refused.err.contains(&inventory) && refused.err.contains("FUNC_HOME"), "{words:?}: {}", refused.err);
    }
    let list = func(&["job", "list"]).expect(0);
    assert!(list.out == "no jobs" && list.err.contains("mistyped/store"), "{}", list.err);
    for command in ["status", "wait", "resume"] {
        let refused = func(&["job", command, "*-test-add-7"]).expect(3);
        assert!(refused.err.contains("mistyped/store") && refused.err.contains("FUNC_HOME"), "{}", refused.err);
    }
    assert!(!nowhere.exists());
    let empty = fleet.func(["ping"]).expect(5);
    assert!(empty.err.contains("inventory.toml"), "{}", empty.err);
}
