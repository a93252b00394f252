//! What the shipped library costs, and any module: to load, to replace, to call the host from, to keep.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use func::{
    access::Grant,
    ca::Inventory,
    config::Home,
    fleet::{Fleet as Client, FleetOptions, Request},
    plugin::{Cache, CallContext, Engine, Plugin},
    tls::Identity,
    wire::{Call, Value},
};

use crate::{
    harness::{Fleet, shipped_modules},
    memory,
    table::{Table, quantile, time},
};

/// Calls of a host function in one call of a module.
const HOST_CALLS: u32 = 10_000;
/// How often a module is replaced.
const ROUNDS: usize = 30;

pub fn run() {
    let mut table = Table::new("the shipped library, and what any module costs", ["", "measured", "goal", "ratio"]);
    load(&mut table);
    size_and_memory(&mut table);
    replace(&mut table);
    call_the_host(&mut table);
    table.print();
}

fn row(table: &mut Table, what: &str, measured: String, goal: Option<(String, f64)>) {
    let (goal, ratio) = goal.map_or_else(<_>::default, |(goal, ratio)| (goal, format!("{ratio:.2}×")));
    table.row([what.to_owned(), measured, goal, ratio]);
}

fn of(measured: Duration, goal: Duration) -> (String, f64) {
    (time(goal), measured.as_secs_f64() / goal.as_secs_f64())
}

/// Each shipped module, first with nothing in the cache and then from it.
fn load(table: &mut Table) {
    let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::serving().unwrap());
    let cache = Cache::open(folder.path()).unwrap();
    let modules = &shipped_modules().modules;
    let components: Vec<Vec<u8>> = modules.iter().map(|built| fs::read(&built.path).unwrap()).collect();
    for (name, goal) in [("cold", None), ("from the cache", Some(Duration::from_millis(20)))] {
        let began = Instant::now();
        let mut each: Vec<Duration> = components
            .iter()
            .map(|bytes| {
                let began = Instant::now();
                cache.load(&engine, bytes).unwrap();
                began.elapsed()
            })
            .collect();
        let all = began.elapsed();
        let (p50, most) = (quantile(&mut each, 0.5), quantile(&mut each, 1.0));
        row(table, &format!("load a module, {name}: p50"), time(p50), None);
        row(table, &format!("load a module, {name}: slowest"), time(most), None);
        let goal = goal.map(|goal| of(all, goal));
        row(table, &format!("load all {} one by one, {name}", components.len()), time(all), goal);
    }
}

fn size_and_memory(table: &mut Table) {
    let modules = &shipped_modules().modules;
    let bytes: u64 = modules.iter().map(|built| fs::metadata(&built.path).unwrap().len()).sum();
    let megabytes = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
    row(
        table,
        &format!("the {} shipped components", modules.len()),
        megabytes(bytes as f64),
        Some((megabytes(3e6), bytes as f64 / 3e6)),
    );
    let fleet = Fleet::start(["m1"]);
    fleet.func(["call", "m1", "test.ping"]).expect(0);
    let resident = memory::kilobytes(fleet.minions[0].pid(), "Rss:") as f64 * 1024.0;
    row(
        table,
        &format!("an idle minion with these {}, resident", modules.len()),
        megabytes(resident),
        Some((megabytes(40e6), resident / 40e6)),
    );
}

/// From the rename until the first answer of the new version.
fn replace(table: &mut Table) {
    let mut fleet = Fleet::empty();
    let shipped = shipped_modules();
    let first = &shipped.modules.iter().find(|built| built.name == "greeting").unwrap().path;
    let folder = fleet.add_with("m1", "", &[first]).modules();
    let versions = [&shipped.greeting_2.path, first].map(|path| fs::read(path).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let home = Home::at(fleet.home());
    let client = Client::new(&Identity::in_folder(&home.identity()).unwrap(), FleetOptions::default()).unwrap();
    let host = Inventory::load(&home.inventory()).unwrap().hosts().remove(0);
    // Only the second version has this method.
    let goodbye = Request::new(&Call { method: "greeting.goodbye".to_owned(), params: vec!["you".into()] });
    let has_it = || runtime.block_on(client.call(&host, &goodbye)).is_ok();
    for (name, cold) in [("compiled before", false), ("never compiled before", true)] {
        let mut samples = Vec::new();
        for round in 0..ROUNDS {
            let mut bytes = versions[round % 2].clone();
            if cold {
                bytes.extend(custom_section(round));
            }
            let began = install(&bytes, &folder);
            while has_it() != (round % 2 == 0) {}
            samples.push(began.elapsed());
        }
        let (p50, p95) = (quantile(&mut samples, 0.5), quantile(&mut samples, 0.95));
        let goal = Duration::from_millis(300);
        row(table, &format!("rename to first new answer, {name}: p50"), time(p50), Some(of(p50, goal)));
        row(table, &format!("rename to first new answer, {name}: p95"), time(p95), None);
    }
}

/// What makes other bytes, and so another component, of the same code; of a number that no earlier run has used.
fn custom_section(round: usize) -> Vec<u8> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let mut section = vec![0, 21, 4];
    section.extend(b"note");
    section.extend(u64::try_from(round).unwrap().to_le_bytes());
    section.extend(u64::try_from(now).unwrap().to_le_bytes());
    section
}

/// Puts a file into place by rename; answers when.
fn install(bytes: &[u8], folder: &Path) -> Instant {
    let arriving = folder.join(".arriving");
    fs::write(&arriving, bytes).unwrap();
    let began = Instant::now();
    fs::rename(&arriving, folder.join("greeting.wasm")).unwrap();
    began
}

/// A module that does nothing but call the host, through the mediator as all do.
const CALLER: &str = r#"(component
    (import "minion:host/types@0.1.0" (instance $types
        (type $kind' (enum "denied" "not-found" "already-exists" "invalid" "too-large" "unsupported" "timed-out"
            "cancelled" "busy" "failed"))
        (export "error-kind" (type $kind (eq $kind')))
        (type $datetime' (record (field "seconds" s64) (field "nanoseconds" u32)))
        (export "datetime" (type (eq $datetime')))
        (type $error' (record (field "kind" $kind) (field "message" string) (field "hint" (option string))))
        (export "error" (type (eq $error')))))
    (alias export $types "error" (type $error))
    (alias export $types "datetime" (type $datetime))
    (import "minion:host/clock@0.1.0" (instance $clock (export "monotonic-ns" (func (result u64)))))
    (import "minion:host/files@0.1.0" (instance $files
        (alias outer 1 $error (type $e')) (export "error" (type $e (eq $e')))
        (alias outer 1 $datetime (type $d')) (export "datetime" (type $d (eq $d')))
        (type $kind' (enum "file" "directory" "symlink" "fifo" "socket" "character-device" "block-device" "other"))
        (export "kind" (type $kind (eq $kind')))
        (type $metadata' (record (field "kind" $kind) (field "size" u64) (field "mode" u32) (field "uid" u32)
            (field "gid" u32) (field "owner" (option string)) (field "group" (option string)) (field "links" u64)
            (field "modified" $d)))
        (export "metadata" (type $metadata (eq $metadata')))
        (export "stat" (func (param "path" string) (result (result $metadata (error $e)))))
        (export "exists" (func (param "path" string) (result (result bool (error $e)))))))
    (core module $lib (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $lib (instantiate $lib))
    (core func $now (canon lower (func $clock "monotonic-ns")))
    (core func $exists (canon lower (func $files "exists") (memory $lib "memory") (realloc (func $lib "realloc"))))
    (core func $stat (canon lower (func $files "stat") (memory $lib "memory") (realloc (func $lib "realloc"))))
    (core module $m
        (import "host" "stat" (func $stat (param i32 i32 i32)))
        (import "host" "now" (func $now (result i64)))
        (import "host" "exists" (func $exists (param i32 i32 i32)))
        (import "lib" "memory" (memory 1))
        (data (i32.const 16) "/etc/hostname")
        (func (export "now") (param $n i32)
            (loop $l (drop (call $now))
                (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n))))
        (func (export "stat") (param $n i32)
            (loop $l (call $stat (i32.const 16) (i32.const 13) (i32.const 64))
                (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n))))
        (func (export "exists") (param $n i32)
            (loop $l (call $exists (i32.const 16) (i32.const 13) (i32.const 64))
                (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))))
    (core instance $i (instantiate $m (with "lib" (instance $lib))
        (with "host" (instance (export "now" (func $now)) (export "exists" (func $exists)) (export "stat" (func $stat))))))
    (func $now-times (param "n" u32) (canon lift (core func $i "now")))
    (func $exists-times (param "n" u32) (canon lift (core func $i "exists")))
    (func $stat-times (param "n" u32) (canon lift (core func $i "stat")))
    (instance $out (export "stat" (func $stat-times)) (export "now" (func $now-times)) (export "exists" (func $exists-times)))
    (export "bench:caller/caller" (instance $out)))"#;

fn call_the_host(table: &mut Table) {
    let engine = Engine::serving().unwrap();
    let bytes = wat::parse_str(CALLER).unwrap_or_else(|error| panic!("{error}"));
    let plugin = Plugin::compile(&engine, &bytes).unwrap();
    let grant: Grant = toml::from_str("read = [\"/etc/hostname\"]").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let calls = |method: &str, count: u32| {
        let began = Instant::now();
        let mut context = CallContext::bare("bench", "bench", Duration::from_mins(5));
        context.grant = grant.clone().into();
        let (method, arguments) = (method.parse().unwrap(), [Value::Int(count.into())]);
        runtime.block_on(plugin.call(&method, &arguments, context)).unwrap();
        began.elapsed()
    };
    for (name, method) in
        [("clock.monotonic-ns", "caller.now"), ("files.exists", "caller.exists"), ("files.stat", "caller.stat")]
    {
        // What a call costs in itself is not the host function's.
        let around = calls(method, 1);
        let each = calls(method, HOST_CALLS).saturating_sub(around) / HOST_CALLS;
        row(table, &format!("a host call, {name}"), time(each), None);
    }
}
