//! A sync call of a module against a native method of the daemon.

use std::time::{Duration, Instant};

use func::access::{AuditLog, AuditOutcome, AuditRecord, Rotation};
use func::ca::{Host, Inventory};
use func::config::Home;
use func::fleet::{Fleet as Client, FleetOptions, Outcome, Request};
use func::ids::MethodName;
use func::plugin::{CallContext, Engine, Plugin};
use func::tls::{Identity, Role};
use func::wire::{Call, Value};

use crate::harness::{Fleet, shipped_modules};
use crate::table::{Table, quantile, time};

const CALLS: usize = 3000;

pub fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut table = Table::new(
        &format!("a sync call, {CALLS} in sequence"),
        ["", "native p50", "module p50", "added", "module p99"],
    );
    let fleet = Fleet::start(["m1"]);
    for (name, native, module) in [
        ("in process: test.ping", None, "test.ping"),
        ("over mTLS, kept alive: system.ping, test.ping", Some("system.ping"), "test.ping"),
    ] {
        let (mut native, mut module) = runtime.block_on(async {
            match native {
                None => in_process(module).await,
                Some(native) => over_the_wire(&fleet, native, module).await,
            }
        });
        let (base, p50, p99) = (quantile(&mut native, 0.5), quantile(&mut module, 0.5), quantile(&mut module, 0.99));
        table.row([name.to_owned(), time(base), time(p50), time(p50.saturating_sub(base)), time(p99)]);
    }
    table.print();
    println!("  goal: under 50 µs added.");
    audit(&runtime);
}

/// A call to a module has two lines in the audit log, and waits until the first of them is written.
fn audit(runtime: &tokio::runtime::Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { bytes: 64 << 20, age: Duration::from_hours(24), keep: 1 };
    let logs = [AuditLog::open(&folder.path().join("audit.jsonl"), rotation).unwrap(), AuditLog::none()];
    let serial = "1".parse().unwrap();
    let line = |outcome| AuditRecord {
        time: jiff::Timestamp::now(),
        caller: "overlord",
        role: Some(Role::Overlord),
        serial: &serial,
        from: ([127, 0, 0, 1], 40_000).into(),
        minion: None,
        method: Some("test.ping"),
        args: Some("[]"),
        outcome,
        error: None,
        duration: Duration::from_micros(50),
        call: None,
        job: None,
        overlord_job: None,
        says_on_behalf_of: None,
        version: Some("0.1.0"),
        digest: None,
        check: false,
        denials: Vec::new(),
    };
    let mut table = Table::new(
        &format!("the audit log's part in a call, {CALLS} in sequence"),
        ["", "until the first line is written", "the second line, not waited for"],
    );
    for (name, log) in ["kept", "not kept"].into_iter().zip(logs) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        runtime.block_on(async {
            for _ in 0..CALLS {
                let began = Instant::now();
                log.record(&line(AuditOutcome::Begun)).done().await;
                first.push(began.elapsed());
                let began = Instant::now();
                drop(log.record(&line(AuditOutcome::Ok)));
                second.push(began.elapsed());
            }
        });
        table.row([name.to_owned(), time(quantile(&mut first, 0.5)), time(quantile(&mut second, 0.5))]);
    }
    table.print();
}

async fn in_process(method: &str) -> (Vec<Duration>, Vec<Duration>) {
    let built = shipped_modules().modules.iter().find(|built| built.name == "test").unwrap();
    let engine = Engine::serving().unwrap();
    let plugin = Plugin::compile(&engine, &std::fs::read(&built.path).unwrap()).unwrap();
    let method: MethodName = method.parse().unwrap();
    let native = |args: &[Value]| -> Value { if args.is_empty() { Value::Int(1) } else { Value::Nil } };
    let (mut natives, mut modules) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let began = Instant::now();
        std::hint::black_box(native(std::hint::black_box(&[])));
        natives.push(began.elapsed());
        let began = Instant::now();
        let context = CallContext::bare("bench", "bench", Duration::from_secs(10));
        assert_eq!(plugin.call(&method, &[], context).await.unwrap(), Value::Int(1));
        modules.push(began.elapsed());
    }
    (natives, modules)
}

async fn over_the_wire(fleet: &Fleet, native: &str, module: &str) -> (Vec<Duration>, Vec<Duration>) {
    let home = Home::at(fleet.home());
    let client = Client::new(&Identity::in_folder(&home.identity()).unwrap(), FleetOptions::default()).unwrap();
    let host: Host = Inventory::load(&home.inventory()).unwrap().hosts().remove(0);
    let requests = [native, module].map(|method| Request::new(&Call::new(method, Vec::new())));
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..CALLS {
        for (request, samples) in requests.iter().zip(&mut samples) {
            let began = Instant::now();
            assert_eq!(client.call(&host, request).await, Outcome::Ok(Value::Int(1)));
            samples.push(began.elapsed());
        }
    }
    let [native, module] = samples;
    (native, module)
}
