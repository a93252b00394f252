//! A sync call of a module against a native method of the daemon.

use std::time::{Duration, Instant};

use func::ca::{Host, Inventory};
use func::config::Home;
use func::fleet::{Fleet as Client, FleetOptions, Outcome, Request};
use func::ids::MethodName;
use func::plugin::{CallContext, Engine, Plugin};
use func::tls::Identity;
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
