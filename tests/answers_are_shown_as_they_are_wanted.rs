//! The answers of a fleet in every form, for people and for programs; those of a job and those of a call are shown alike.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use func::wire::{Answer as Wire, RemoteError, Value, parse_answer};

use crate::harness::{Fleet, Gate, guest};

#[test]
fn a_call_and_a_job_have_the_same_forms() {
    let fleet = Fleet::start(["web1", "web2"]);
    fleet.func(["hosts", "set", "db1", "127.0.0.1:1"]).expect(0);
    let record = r#"{"os":{"id":"debian"},"size":7}"#;
    let call = |form: &[&str]| fleet.func(["call", "*", "test.echo", record].iter().chain(form)).expect(1);
    let job = fleet.func(["call", "*", "test.echo", record, "--async", "--json"]).expect(1).json();
    let job = job["id"].as_str().unwrap().to_owned();
    let status = |form: &[&str]| fleet.func(["job", "status", &job].iter().chain(form)).expect(1);

    for answer in [call(&["--by", "os.id"]), status(&["--by", "os.id"])] {
        assert!(answer.out.contains("web[1-2]\n  debian\n") && answer.out.contains("1 unreachable"), "{}", answer.out);
    }
    for answer in [call(&["--sort", "-host"]), status(&["--sort", "-host"])] {
        assert!(answer.out.contains("HOST  SIZE\nweb2     7\nweb1     7\ndb1\n"), "{}", answer.out);
    }
    for answer in [call(&["--jsonl"]), status(&["--jsonl"])] {
        let lines: Vec<serde_json::Value> =
            answer.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |host: &str| lines.iter().find(|line| line["host"] == host).unwrap();
        assert_eq!((lines.len(), &of("web1")["value"]["size"]), (3, &7.into()), "{}", answer.out);
        assert_eq!(of("db1")["outcome"], "unreachable");
    }
    for answer in [call(&["--xmlrpc"]), status(&["--xmlrpc"])] {
        let Ok(Wire::Value(Value::Struct(all))) = parse_answer(answer.out.as_bytes()) else { panic!("{}", answer.out) };
        assert_eq!(all["web2"].to_json()["size"], 7);
        assert_eq!(RemoteError::from_value(&all["db1"]).unwrap().kind, "unreachable");
    }
    for answer in [call(&["--raw"]), status(&["--raw"])] {
        let lines: Vec<&str> = answer.out.lines().collect();
        assert_eq!(lines.len(), 2, "{}", answer.out);
        assert!(
            lines.iter().all(|line| line.starts_with('{')) && answer.err.contains("db1: unreachable"),
            "{}",
            answer.err
        );
    }
    assert!(call(&[]).err.contains("hint: correct a wrong address with `func hosts set NAME HOST:PORT`"));
    fleet.func(["call", "*", "test.ping", "--raw", "--xmlrpc"]).expect(2);
    fleet.func(["call", "*", "test.ping", "--raw", "--json"]).expect(2);
}

#[test]
fn a_host_s_line_comes_while_others_are_at_work() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m2");
    fleet.add_with("m1", "", &[&guest("rogue")]);
    fleet.add_with("m2", &gate.settings(), &[&guest("rogue")]);
    let call = ["call", "*", "rogue.pass_gate", "--async", "--jsonl"];
    let mut child = fleet.command(call).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // The other one waits for its gate.
    assert!(lines.next().unwrap().contains(r#""host":"m1""#));
    gate.open("done");
    let last = lines.next().unwrap();
    assert!(last.contains(r#""host":"m2""#) && last.contains(r#""value":"done""#), "{last}");
    child.wait().unwrap();
}

#[test]
fn the_check_of_a_job_reads_like_that_of_a_call() {
    let mut fleet = Fleet::empty();
    let folder = fleet.folder().canonicalize().unwrap();
    let grants =
        format!("[grants.rogue]\nrun = [\"touch\"]\nread = [\"{0}/*\"]\nwrite = [\"{0}/*\"]\n", folder.display());
    fleet.add_with("m1", &grants, &[&guest("rogue")]);
    let motd = folder.join("motd").to_str().unwrap().to_owned();
    let call = ["call", "m1", "rogue.write", &motd, "x", "--check"];
    let plain = fleet.func(call).expect(0).out;
    assert!(plain.contains(&format!("1. files.write {motd}: ")), "{plain}");
    let job = fleet.func(call.iter().chain(&["--async"])).expect(0).out;
    assert_eq!(job.split_once('\n').unwrap().1, plain);
    let denied = fleet.func(["call", "m1", "rogue.write", "/etc/motd", "x", "--check", "--async"]).expect(1).out;
    assert!(denied.contains("it would fail: denied") && denied.ends_with("it would fail on 1"), "{denied}");
}
