//! Handles of the host, random bytes, instances, memories and tables: a module that wants them without end gets an
//! error that says so, and the minion serves on.

use std::fs;

use func::{fleet::Outcome, wire::Value};

use crate::harness::{Fleet, Minion, shipped_modules, until};

/// Takes handles for ever, and asks for more random bytes than there is memory.
const HOARDER: &str = r#"(component
    (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
    (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
    (import "wasi:io/streams@0.2.0" (instance $streams (export "output-stream" (type (sub resource)))))
    (alias export $poll "pollable" (type $pollable))
    (alias export $streams "output-stream" (type $stream))
    (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $p')) (export "pollable" (type $p (eq $p')))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $stream (type $s')) (export "output-stream" (type $s (eq $s')))
        (export "get-stdout" (func (result (own $s))))))
    (import "wasi:random/random@0.2.0" (instance $random
        (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
    (import "wasi:random/insecure@0.2.0" (instance $insecure
        (export "get-insecure-random-bytes" (func (param "len" u64) (result (list u8))))))
    (core module $lib (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $lib (instantiate $lib))
    (core func $subscribe (canon lower (func $clock "subscribe-duration")))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $random (canon lower (func $random "get-random-bytes")
        (memory $lib "memory") (realloc (func $lib "realloc"))))
    (core func $insecure (canon lower (func $insecure "get-insecure-random-bytes")
        (memory $lib "memory") (realloc (func $lib "realloc"))))
    (core module $m
        (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (import "host" "get" (func $get (result i32)))
        (import "host" "random" (func $random (param i64 i32)))
        (import "host" "insecure" (func $insecure (param i64 i32)))
        (func (export "pollables") (loop $l (drop (call $subscribe (i64.const 1000000000000))) (br $l)))
        (func (export "streams") (loop $l (drop (call $get)) (br $l)))
        (func (export "random") (param i64) (call $random (local.get 0) (i32.const 64)))
        (func (export "insecure") (param i64) (call $insecure (local.get 0) (i32.const 64))))
    (core instance $i (instantiate $m (with "host" (instance
        (export "subscribe" (func $subscribe)) (export "get" (func $get))
        (export "random" (func $random)) (export "insecure" (func $insecure))))))
    (func $pollables (canon lift (core func $i "pollables")))
    (func $streams (canon lift (core func $i "streams")))
    (func $random-bytes (param "count" u64) (canon lift (core func $i "random")))
    (func $insecure-bytes (param "count" u64) (canon lift (core func $i "insecure")))
    (instance $out
        (export "pollables" (func $pollables)) (export "streams" (func $streams))
        (export "random" (func $random-bytes)) (export "insecure" (func $insecure-bytes)))
    (export "test:hoarder/hoarder" (instance $out)))"#;

/// A component of so many core instances, each with this in it. `spin` never returns.
fn parts(name: &str, count: usize, each: &str) -> Vec<u8> {
    let instances = "(core instance (instantiate $part))".repeat(count);
    let text = format!(
        r#"(component
            (core module $part {each})
            {instances}
            (core module $m (func (export "spin") (loop $l (br $l))))
            (core instance $i (instantiate $m))
            (func $spin (canon lift (core func $i "spin")))
            (instance $out (export "spin" (func $spin)))
            (export "test:parts/{name}" (instance $out)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// A minion with the module `test` and these.
fn fleet(settings: &str, modules: &[(&str, Vec<u8>)]) -> Fleet {
    let mut fleet = Fleet::empty();
    let folder = fleet.folder().join("built");
    fs::create_dir(&folder).unwrap();
    let mut paths = vec![shipped_modules().modules.iter().find(|built| built.name == "test").unwrap().path.clone()];
    for (name, bytes) in modules {
        paths.push(folder.join(format!("{name}.wasm")));
        fs::write(paths.last().unwrap(), bytes).unwrap();
    }
    let paths: Vec<_> = paths.iter().map(std::path::PathBuf::as_path).collect();
    fleet.add_with("m1", settings, &paths);
    fleet
}

fn serves_on(fleet: &Fleet) {
    assert_eq!(fleet.ask("m1", "test.ping", vec![]), Outcome::Ok(Value::Int(1)));
}

/// The most memory that it ever had, in kilobytes.
fn peak(minion: &Minion) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", minion.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn handles_and_random_bytes_end_with_an_error_that_names_the_bound() {
    let mut fleet = fleet("", &[("hoarder", wat::parse_str(HOARDER).unwrap_or_else(|error| panic!("{error}")))]);
    let handles = "the module held more than 1000 streams and pollables at once";
    let random = "requested len 4294967296 exceeds limit 1048576";
    let four_gigabytes = || vec![Value::Int(4 << 30)];
    for (method, params, message) in [
        ("hoarder.pollables", vec![], handles),
        ("hoarder.streams", vec![], handles),
        ("hoarder.random", four_gigabytes(), random),
        ("hoarder.insecure", four_gigabytes(), random),
    ] {
        let error = fleet.failure("m1", method, params.clone());
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("Trap", message), "{method}");
        assert_eq!(fleet.ask_as_job("m1", method, params), Outcome::Failed(error), "{method} as a job");
        serves_on(&fleet);
    }
    assert_eq!(fleet.ask("m1", "hoarder.random", vec![Value::Int(32)]), Outcome::Ok(Value::Nil));
    let peak = peak(fleet.minion("m1"));
    assert!(peak < 300_000, "{peak} kB");
}

#[test]
fn a_component_of_too_many_parts_is_refused_and_named() {
    let hoards = [
        ("instances", parts("instances", 100, "")),
        ("memories", parts("memories", 20, "(memory 1)")),
        ("tables", parts("tables", 100, "(table 1 funcref)")),
        ("entries", parts("entries", 1, "(table 10000000 funcref)")),
    ];
    let mut fleet = fleet("", &hoards);
    for (name, words) in [
        ("instances", "101 core module instances"),
        ("memories", "20 Wasm linear memories"),
        ("tables", "tables"),
        ("entries", "table"),
    ] {
        let minion = fleet.minion("m1");
        let line = until(&format!("the refusal of {name}"), || {
            let log = minion.log();
            let mut lines = log.lines().filter(|line| line.contains("a plugin does not load"));
            lines.find(|line| line.contains(&format!("{name}.wasm"))).map(str::to_owned)
        });
        assert!(line.contains(words), "{line}");
    }
    serves_on(&fleet);
}

#[test]
fn calls_of_the_largest_module_there_can_be_leave_room_for_others() {
    let settings = "[calls]\ntimeout = \"8s\"\n";
    let mut fleet = fleet(settings, &[("large", parts("large", 8, "(memory 1) (table 1 funcref)"))]);
    std::thread::scope(|scope| {
        let busy = || fleet.ask("m1", "large.spin", vec![]);
        let calls: Vec<_> = (0..40).map(|_| scope.spawn(busy)).collect();
        until("all of them to be under way", || {
            let begun = fleet.whole_audit("m1", "large.spin").len();
            (begun >= calls.len()).then_some(())
        });
        serves_on(&fleet);
        for call in calls {
            let outcome = call.join().unwrap();
            assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
        }
    });
    serves_on(&fleet);
    assert_eq!(fleet.minion("m1").log().matches("no room").count(), 0);
}
