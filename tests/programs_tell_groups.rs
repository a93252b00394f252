//! A program tells groups of hosts; what it told last is used while it fails, and said to be old.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::Fleet;

/// Five hosts, and a source whose script this is. It leaves a line in `asked` each time.
fn fleet(script: &str) -> Fleet {
    let fleet = Fleet::empty();
    for (port, name) in ["web1", "web2", "db1"].iter().enumerate() {
        fleet.func(["hosts", "set", name, &format!("127.0.0.1:{}", port + 1)]).expect(0);
    }
    let groups = format!(
        "[groups]\nall = [\"@web\", \"db1\"]\n\n[sources.cloud]\nprogram = \"{}\"\n",
        program(&fleet).display()
    );
    fs::write(fleet.home().join("groups.toml"), groups).unwrap();
    write(&fleet, script);
    fleet
}

fn program(fleet: &Fleet) -> std::path::PathBuf {
    fleet.home().join("cloud")
}

fn write(fleet: &Fleet, script: &str) {
    let asked = fleet.home().join("asked");
    fs::write(program(fleet), format!("#!/bin/sh\necho >> {}\n{script}\n", asked.display())).unwrap();
    fs::set_permissions(program(fleet), fs::Permissions::from_mode(0o700)).unwrap();
}

fn asked(fleet: &Fleet) -> usize {
    fs::read_to_string(fleet.home().join("asked")).unwrap_or_default().lines().count()
}

fn chosen(fleet: &Fleet, target: &str) -> (String, String) {
    let shown = fleet.func(["hosts", target, "--json"]).expect(0);
    let hosts = shown.json();
    let names: Vec<&str> = hosts.as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap()).collect();
    (names.join(" "), shown.err)
}

#[test]
fn a_program_is_asked_when_groups_are_needed_and_its_last_answer_outlives_its_failures() {
    let fleet = fleet(r#"echo '{"web": ["web*"], "all": ["web1"], "none": []}'"#);
    assert_eq!((chosen(&fleet, "*").0.as_str(), asked(&fleet)), ("db1 web1 web2", 0), "nobody asked for groups");
    assert_eq!(chosen(&fleet, "@web"), ("web1 web2".into(), String::new()));
    assert_eq!((chosen(&fleet, "@all and not web2").0.as_str(), asked(&fleet)), ("db1 web1", 1), "the answer is fresh");
    let listed = fleet.func(["group", "list", "--json"]).expect(0);
    assert!(listed.err.contains("`all` of the source `cloud` counts for nothing"), "{}", listed.err);
    let listed = listed.json();
    let of = |name: &str| listed.as_array().unwrap().iter().find(|group| group["name"] == name).unwrap();
    assert_eq!((&of("web")["source"], &of("all")["source"]), (&"cloud".into(), &serde_json::Value::Null));
    let removed = fleet.func(["group", "remove", "web", "web1"]).expect(3).err;
    assert!(removed.contains("`web` comes from the source `cloud`"), "{removed}");
    fleet.func(["group", "add", "own", "@web"]).expect(0);
    assert!(fs::read_to_string(fleet.home().join("groups.toml")).unwrap().contains("[sources.cloud]"));

    write(&fleet, r#"echo '{"web": ["web2"]}'"#);
    assert_eq!(chosen(&fleet, "@web").0, "web1 web2");
    let told = fleet.func(["group", "refresh"]).expect(0);
    assert_eq!((told.out.as_str(), chosen(&fleet, "@own").0.as_str()), ("`cloud` tells 1 groups", "web2"));

    write(&fleet, "echo the cloud is away >&2; exit 7");
    let told = fleet.func(["group", "refresh", "cloud"]).expect(1);
    let says = |text: &str| text.contains("the groups of `cloud` are ") && text.contains(" old; asked ");
    assert!(says(&told.err) && told.err.contains("exit status: 7 and said: the cloud is away"), "{}", told.err);
    let (hosts, warning) = chosen(&fleet, "@web");
    assert!(hosts == "web2" && says(&warning), "{hosts}: {warning}");
    fleet.func(["group", "refresh", "sky"]).expect(3);
}

#[test]
fn a_source_that_never_told_anything_is_named_where_its_groups_are_missed() {
    let fleet = fleet("echo '{\"web\": [\"and\"]}'");
    let missed = fleet.func(["ping", "@web"]).expect(3).err;
    assert!(
        missed.contains("the source `cloud` has told of none yet") && missed.contains("the member `and`"),
        "{missed}"
    );
    fs::set_permissions(program(&fleet), fs::Permissions::from_mode(0o777)).unwrap();
    let before = asked(&fleet);
    let refused = fleet.func(["group", "refresh"]).expect(3).err;
    assert!(refused.contains("can be written by others") && asked(&fleet) == before, "{refused}");
}
