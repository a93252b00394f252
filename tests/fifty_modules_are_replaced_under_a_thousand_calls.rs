//! A folder of fifty modules is replaced, twice, while a thousand calls of them run: none fails, none is answered half
//! by one version and half by another, and once the new version has answered the old one never does.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use func::{
    ca::Inventory,
    config::Home,
    fleet::{Fleet as Client, FleetOptions, Outcome, Request},
    tls::Identity,
    wire::{Call, Value},
};

use crate::harness::{Fleet, until};

const MODULES: usize = 50;
const CALLS: usize = 1_000;
const CALLERS: usize = 24;
const VERSIONS: u64 = 3;
/// How long calls last, in turn: some are over at once, some last while the folder changes.
const HOLDS: [i64; 4] = [0, 10, 100, 400];
/// What passes between two questions to a module that has a call.
const PAUSE: Duration = Duration::from_millis(50);

/// A version of a module. Its number is in the memory of one of its parts and in the code of another: `pair` looks at
/// the first, waits, and then at the second.
fn version(module: usize, number: u64) -> Vec<u8> {
    let bytes = number.to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
    let text = format!(
        r#"(component
            (import "minion:host/types@0.1.0" (instance $types
                (type $kind (enum "denied" "not-found" "already-exists" "invalid" "too-large" "unsupported" "timed-out"
                    "cancelled" "busy" "failed"))
                (export "error-kind" (type $error-kind (eq $kind)))
                (type $record (record
                    (field "kind" $error-kind) (field "message" string) (field "hint" (option string))))
                (export "error" (type (eq $record)))))
            (alias export $types "error" (type $error))
            (import "minion:host/job@0.1.0" (instance $job
                (alias outer 1 $error (type $outer-error))
                (export "error" (type $job-error (eq $outer-error)))
                (export "sleep" (func (param "ms" u64) (result (result (error $job-error)))))))
            (core module $memory-of
                (memory (export "memory") 1)
                (data (i32.const 16) "{bytes}")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
            (core instance $m (instantiate $memory-of))
            (alias core export $m "memory" (core memory $memory))
            (alias core export $m "realloc" (core func $realloc))
            (core func $sleep (canon lower (func $job "sleep") (memory $memory) (realloc $realloc)))
            (core module $code
                (import "m" "memory" (memory 1))
                (import "job" "sleep" (func $sleep (param i64 i32)))
                (func (export "pair") (param i64) (result i32)
                    (i64.store (i32.const 64) (i64.load (i32.const 16)))
                    (call $sleep (local.get 0) (i32.const 1024))
                    (i64.store (i32.const 72) (i64.const {number}))
                    (i32.const 64)))
            (core instance $c (instantiate $code
                (with "m" (instance $m)) (with "job" (instance (export "sleep" (func $sleep))))))
            (func $pair (param "ms" u64) (result (tuple u64 u64))
                (canon lift (core func $c "pair") (memory $memory)))
            (instance $out (export "pair" (func $pair)))
            (export "test:swap/m{module}" (instance $out)))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Puts a version of every module into place, each whole and by rename.
fn install(folder: &Path, number: u64) {
    for module in 0..MODULES {
        let arriving = folder.join(format!(".m{module}.arriving"));
        fs::write(&arriving, version(module, number)).unwrap();
        fs::rename(arriving, folder.join(format!("m{module}.wasm"))).unwrap();
    }
}

/// What the callers have heard so far.
struct Heard {
    calls: AtomicUsize,
    /// Calls of a version that another had taken the place of before they ended.
    overtaken: AtomicUsize,
    /// The newest version that each module has answered with.
    newest: [AtomicU64; MODULES],
    over: AtomicBool,
}

impl Heard {
    fn nothing() -> Self {
        let (calls, overtaken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { calls, overtaken, newest: [const { AtomicU64::new(0) }; MODULES], over: AtomicBool::new(false) }
    }

    /// The version that answered a call which began when `newest` was the newest.
    fn note(&self, module: usize, begun_at: u64, outcome: &Outcome) {
        let Outcome::Ok(Value::Array(pair)) = outcome else { panic!("m{module} answered {outcome:?}") };
        let [Value::Int(first), Value::Int(second)] = pair[..] else { panic!("m{module} answered {pair:?}") };
        assert_eq!(first, second, "m{module} was answered half by one version and half by another");
        let number = u64::try_from(first).unwrap();
        assert!((1..=VERSIONS).contains(&number), "m{module} answered {number}");
        assert!(number >= begun_at, "m{module} answered {number} to a call begun after {begun_at} had answered");
        let newest = self.newest[module].fetch_max(number, SeqCst);
        self.overtaken.fetch_add(usize::from(number < newest), SeqCst);
        self.calls.fetch_add(1, SeqCst);
    }

    fn all_have_answered(&self, number: u64) -> Option<()> {
        self.newest.iter().all(|newest| newest.load(SeqCst) >= number).then_some(())
    }
}

/// Calls modules in turn until all is over and there were enough calls. While a call lasts, its module is asked what
/// calls that begin now are answered with.
async fn call(fleet: &Fleet, caller: usize, heard: &Heard) {
    let home = Home::at(fleet.home());
    let client = Client::new(&Identity::in_folder(&home.identity()).unwrap(), FleetOptions::default()).unwrap();
    let host = Inventory::load(&home.inventory()).unwrap().hosts().remove(0);
    let ask = async |module: usize, hold: i64| {
        let begun_at = heard.newest[module].load(SeqCst);
        let call = Call { method: format!("m{module}.pair"), params: vec![Value::Int(hold)] };
        let request = Request::new(&call).timeout(Duration::from_mins(1));
        heard.note(module, begun_at, &client.call(&host, &request).await);
    };
    let mut turn = caller;
    while !heard.over.load(SeqCst) || heard.calls.load(SeqCst) < CALLS {
        // Steps that do not divide the modules, so that each caller calls all of them, for all lengths.
        let (module, hold) = (turn % MODULES, HOLDS[turn / MODULES % HOLDS.len()]);
        let answer = ask(module, hold);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                () = &mut answer => break,
                () = tokio::time::sleep(PAUSE) => ask(module, 0).await,
            }
        }
        turn += 7;
    }
}

#[test]
fn no_call_fails_and_none_is_half_old_and_half_new() {
    let mut fleet = Fleet::empty();
    let (home, heard) = (fleet.folder().join("m1"), Heard::nothing());
    fs::create_dir_all(home.join("modules")).unwrap();
    install(&home.join("modules"), 1);
    let folder = fleet.add_with("m1", "", &[]).modules();
    let pid = fleet.minion("m1").pid();
    std::thread::scope(|scope| {
        let (fleet, heard) = (&fleet, &heard);
        let callers = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(futures_util::future::join_all((0..CALLERS).map(|caller| call(fleet, caller, heard))));
        });
        // A caller that failed ends them all, and what is waited for here never comes.
        let wait = |number| {
            until(&format!("version {number} of all modules"), || {
                assert!(!callers.is_finished(), "a call failed");
                heard.all_have_answered(number)
            });
        };
        wait(1);
        for number in 2..=VERSIONS {
            install(&folder, number);
            wait(number);
        }
        heard.over.store(true, SeqCst);
        callers.join().unwrap();
    });
    let (calls, overtaken) = (heard.calls.into_inner(), heard.overtaken.into_inner());
    println!("{calls} calls, of which {overtaken} ended on a version that had been replaced meanwhile");
    assert!(calls >= CALLS && overtaken > 0, "{calls} calls, {overtaken} in flight while their module was replaced");
    assert_eq!(fleet.minion("m1").pid(), pid, "nothing was restarted");
    let refused = fleet.minion("m1").log().lines().filter(|line| line.contains("does not load")).count();
    assert_eq!(refused, 0, "a file was read half written");
}
