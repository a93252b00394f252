//! More jobs than there is room for: what was accepted is kept, the rest hears "busy", and the minion, which
//! was given few open files, serves on.

use func::ca::Host;
use func::config::Home;
use func::fleet::{Fleet as Caller, FleetOptions, Outcome, Request};
use func::tls::Identity;
use func::wire::{Call, Value};

use crate::harness::{Fleet, Gate, guest, until};

const QUEUE: usize = 1100;
const WORKERS: usize = 2;
const PROGRAM: &[&str] = &["-c", concat!("ulimit -Sn 1024; exec '", env!("CARGO_BIN_EXE_func"), "' minion")];

#[test]
fn a_full_queue_says_busy_and_recovers() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    let config = format!("[jobs]\nworkers = {WORKERS}\nqueue = {QUEUE}\n{}", gate.settings());
    let minion = fleet.add_as("sh", PROGRAM, "m1", &config, &[&guest("rogue")]);
    let (pid, host) = (minion.pid(), Host { name: "m1".parse().unwrap(), address: minion.address.into() });

    let identity = Identity::in_folder(&Home::at(fleet.home()).identity()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let caller = runtime.block_on(async { Caller::new(&identity, FleetOptions::default()).unwrap() });
    let submit = || {
        let request = Request::new(&Call::new("async.rogue.pass_gate", vec![]));
        runtime.block_on(caller.call(&host, &request))
    };
    let mut accepted = 0;
    let refused = loop {
        match submit() {
            Outcome::Ok(_) => accepted += 1,
            other => break other,
        }
        assert!(accepted <= WORKERS + QUEUE, "nothing was refused");
    };
    assert!(matches!(&refused, Outcome::Failed(error) if error.kind == "Busy"), "{refused:?}");
    assert!(accepted >= QUEUE, "{accepted}");
    // The limit that it was given would not have been enough, and it is at home in the one that it took.
    assert!(std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() > 1024);
    assert_eq!(fleet.ask("m1", "rogue.hold", vec![Value::Int(0)]), Outcome::Ok(Value::Int(0)));

    gate.open("passed");
    until("room for one more", || matches!(submit(), Outcome::Ok(_)).then_some(()));
    assert_eq!(fleet.minion("m1").pid(), pid, "nothing was restarted");
}
