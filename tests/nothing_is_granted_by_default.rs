//! A module touches what the operator lists and nothing else, and a denial names the line to add.

use std::fs;

use func::fleet::Outcome;
use func::wire::Value;

use crate::harness::{Fleet, guest};

/// The call is denied, plain and as a job, because of this path; answers the line that the denial says to add.
#[track_caller]
fn denied(fleet: &Fleet, method: &str, params: &[Value], right: &str, path: &str) -> String {
    let error = fleet.failure("m1", method, params.to_vec());
    assert_eq!(error.kind, "denied", "{error}");
    assert!(error.message.starts_with(&format!("the module `rogue` may not {right} `")), "{error}");
    let line = format!("{right} = [\"{path}\"]");
    let hint = format!("\nhint: to allow it, add to the minion's configuration:\n[grants.rogue]\n{line}");
    assert!(error.message.ends_with(&hint), "{error}");
    assert_eq!(fleet.ask_as_job("m1", method, params.to_vec()), Outcome::Failed(error), "{method} as a job");
    line
}

#[test]
fn without_grants_nothing_is_run_read_or_written_and_the_line_to_add_is_enough() {
    let mut fleet = Fleet::empty();
    let home = fleet.add_with("m1", "", &[&guest("rogue")]).home.clone();
    let folder = fleet.folder().canonicalize().unwrap();
    let (secret, target) = (folder.join("secret"), folder.join("victim"));
    fs::write(&secret, "hidden").unwrap();
    let (secret, target) = (secret.to_str().unwrap(), target.to_str().unwrap());
    let echo = fs::canonicalize("/bin/echo").unwrap();
    let echo = echo.to_str().unwrap();
    let hi = Value::Array(vec!["hi".into()]);
    let calls = [
        ("read", secret, vec![secret.into()], Value::from("hidden")),
        ("write", target, vec![target.into(), "x".into()], Value::Nil),
        ("run", echo, vec![echo.into(), hi], "hi\n".into()),
    ];
    let config = fs::read_to_string(home.join("minion.toml")).unwrap();
    for (right, path, params, answer) in &calls {
        // In turn: nothing is granted, then the one line, while the other two calls stay denied.
        let line = denied(&fleet, &format!("rogue.{right}"), params, right, path);
        assert!(!fs::exists(target).unwrap(), "written without a grant");
        fleet.minion("m1").stop();
        fs::write(home.join("minion.toml"), format!("{config}\n[grants.rogue]\n{line}\n")).unwrap();
        fleet.minion("m1").launch();
        for (other, path, params, _) in calls.iter().filter(|(other, ..)| other != right) {
            denied(&fleet, &format!("rogue.{other}"), params, other, path);
        }
        for ask in [Fleet::ask, Fleet::ask_as_job] {
            let answered = ask(&fleet, "m1", &format!("rogue.{right}"), params.clone());
            assert_eq!(answered, Outcome::Ok(answer.clone()), "{line}");
        }
        let _ = fs::remove_file(target);
    }
}

#[test]
fn what_is_granted_works_and_nothing_beside_it() {
    let mut fleet = Fleet::empty();
    let folder = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.txt"), "hello").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("way-out")).unwrap();
    let grants =
        format!("[grants.rogue]\nrun = [\"echo\"]\nread = [\"{0}/*\"]\nwrite = [\"{0}/*.out\"]\n", folder.display());
    fleet.add_with("m1", &grants, &[&guest("rogue")]);
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let path = |name: &str| Value::from(text(name));
    assert_eq!(fleet.ask("m1", "rogue.read", vec![path("a.txt")]), Outcome::Ok("hello".into()));
    assert_eq!(fleet.ask("m1", "rogue.write", vec![path("b.out"), "x".into()]), Outcome::Ok(Value::Nil));
    assert_eq!(fs::read_to_string(folder.join("b.out")).unwrap(), "x");
    let ran = fleet.ask("m1", "rogue.run", vec!["echo".into(), Value::Array(vec!["hi".into()])]);
    assert_eq!(ran, Outcome::Ok("hi\n".into()));

    denied(&fleet, "rogue.write", &[path("b.txt"), "x".into()], "write", &text("b.txt"));
    assert!(!folder.join("b.txt").exists());
    denied(&fleet, "rogue.read", &[path("way-out")], "read", "/etc/passwd");
    denied(&fleet, "rogue.read", &[path("../../../../../../etc/passwd")], "read", "/etc/passwd");
    denied(&fleet, "rogue.run", &["/bin/sh".into(), Value::Array(vec![])], "run", "/bin/sh");
}

#[test]
fn a_program_gets_no_descriptor_of_ours() {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "[grants.rogue]\nrun = [\"ls\"]\n", &[&guest("rogue")]);
    let list = vec!["ls".into(), Value::Array(vec!["-1l".into(), "/proc/self/fd".into()])];
    for ask in [Fleet::ask, Fleet::ask_as_job] {
        let Outcome::Ok(Value::String(listed)) = ask(&fleet, "m1", "rogue.run", list.clone()) else {
            panic!("no list")
        };
        let targets: Vec<&str> = listed.lines().filter_map(|line| Some(line.split_once(" -> ")?.1)).collect();
        // The standard streams, and the folder that is being listed.
        let known = |target: &&str| target.starts_with("pipe:") || *target == "/dev/null" || target.ends_with("/fd");
        assert!(targets.len() == 4 && targets.iter().all(known), "{listed}");
    }
    let fork_server = fleet.minion("m1").fork_server().unwrap();
    for entry in fs::read_dir(format!("/proc/{fork_server}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default().display().to_string();
        assert!(!target.ends_with("/pagemap"), "the fork server holds {target}");
    }
}
