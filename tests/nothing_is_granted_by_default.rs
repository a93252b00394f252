//! A module touches what the operator lists and nothing else, and a denial names the line to add.

use std::fs;

use func::fleet::Outcome;
use func::wire::{RemoteError, Value};

use crate::harness::{Fleet, guest};

#[track_caller]
fn denied(fleet: &Fleet, method: &str, params: Vec<Value>) -> RemoteError {
    match fleet.ask("m1", method, params) {
        Outcome::Failed(error) => error,
        other => panic!("{method} answered {other:?}"),
    }
}

#[test]
fn without_grants_nothing_is_run_read_or_written() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[&guest("rogue")]);
    let target = fleet.folder().join("victim");
    let error = denied(&fleet, "rogue.read", vec!["/etc/passwd".into()]);
    let text = format!("{} {}", error.message, error.trace);
    assert!(text.contains("[grants.rogue]") && text.contains("read = [\"/etc/passwd\"]"), "{error:?}");
    denied(&fleet, "rogue.write", vec![target.to_str().unwrap().into(), "x".into()]);
    assert!(!target.exists());
    let error = denied(&fleet, "rogue.run", vec!["id".into(), Value::Array(vec![])]);
    assert!(format!("{error:?}").contains("run = ["), "{error:?}");
}

#[test]
fn what_is_granted_works_and_nothing_beside_it() {
    let mut fleet = Fleet::empty();
    let folder = fleet.folder().join("open");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.txt"), "hello").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("way-out")).unwrap();
    let grants =
        format!("[grants.rogue]\nrun = [\"echo\"]\nread = [\"{0}/*\"]\nwrite = [\"{0}/*.out\"]\n", folder.display());
    fleet.add_with("m1", &grants, &[&guest("rogue")]);
    let path = |name: &str| Value::from(folder.join(name).to_str().unwrap());
    assert_eq!(fleet.ask("m1", "rogue.read", vec![path("a.txt")]), Outcome::Ok("hello".into()));
    assert_eq!(fleet.ask("m1", "rogue.write", vec![path("b.out"), "x".into()]), Outcome::Ok(Value::Nil));
    assert_eq!(fs::read_to_string(folder.join("b.out")).unwrap(), "x");
    let ran = fleet.ask("m1", "rogue.run", vec!["echo".into(), Value::Array(vec!["hi".into()])]);
    assert!(matches!(&ran, Outcome::Ok(Value::String(text)) if text.trim_end() == "hi"), "{ran:?}");

    denied(&fleet, "rogue.write", vec![path("b.txt"), "x".into()]);
    denied(&fleet, "rogue.read", vec![path("way-out")]);
    denied(&fleet, "rogue.read", vec![path("../../../../../../etc/passwd")]);
    denied(&fleet, "rogue.run", vec!["/bin/sh".into(), Value::Array(vec![])]);
}
