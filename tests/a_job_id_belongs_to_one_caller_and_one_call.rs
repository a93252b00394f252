//! A job id that an overlord chose stands for one call by this overlord: the same call again is the same
//! job, and nobody else can use the id, or ask about it.

use std::fs;

use func::ca::{Host, IssueRequest};
use func::fleet::{Fleet as Caller, FleetOptions, Outcome, Request};
use func::ids::MinionJobId;
use func::tls::{Identity, Role};
use func::wire::{Call, Value};

use crate::client::authority;
use crate::harness::{Fleet, Gate, guest, until};

/// The fleet's minion as the holder of one certificate sees it.
struct As {
    identity: Identity,
    host: Host,
}

impl As {
    fn overlord(fleet: &Fleet, name: &str) -> Self {
        let issued = authority(fleet).issue(&IssueRequest::new(name.parse().unwrap(), Role::Overlord)).unwrap();
        let minion = &fleet.minions[0];
        let host = Host { name: minion.name.parse().unwrap(), address: minion.address.into() };
        Self { identity: issued.identity().unwrap(), host }
    }

    fn send(&self, request: &Request) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let caller = Caller::new(&self.identity, FleetOptions::default()).unwrap();
            caller.call(&self.host, request).await
        })
    }

    fn ask(&self, method: &str, id: &MinionJobId) -> Outcome {
        self.send(&Request::new(&Call::new(method, vec![id.as_str().into()])))
    }

    fn submit(&self, id: &MinionJobId, method: &str, args: Vec<Value>) -> Outcome {
        self.send(&Request::new(&Call::new(method, args)).job(id, None))
    }
}

#[track_caller]
fn not_free(outcome: &Outcome, id: &MinionJobId) {
    let said = outcome.to_string();
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    assert!(said.contains(&format!("the job id `{id}` is not free")), "{said}");
}

#[test]
fn a_job_id_is_of_one_caller_and_one_call() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    let folder = fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]).modules();
    let (boss, other) = (As::overlord(&fleet, "boss"), As::overlord(&fleet, "other"));
    let id = MinionJobId::fresh();
    let again = |who: &As, line: &str| who.submit(&id, "async.rogue.pass_gate", vec![line.into()]);

    assert_eq!(again(&boss, "one"), Outcome::Ok(id.as_str().into()));
    assert_eq!(again(&boss, "one"), Outcome::Ok(id.as_str().into()), "the same call is the same job");
    not_free(&again(&boss, "two"), &id);
    not_free(&boss.submit(&id, "async.rogue.hold", vec![1.into()]), &id);
    not_free(&again(&other, "one"), &id);
    // What does not fit the method is no different: the id comes first.
    not_free(&boss.submit(&id, "async.rogue.hold", vec!["no number".into()]), &id);

    let unknown = Outcome::Ok(Value::Array(vec![2.into(), 0.into()]));
    assert_eq!(other.ask("jobs.job_status", &id), unknown);
    for method in ["jobs.tail_output", "jobs.get_progress"] {
        let outcome = other.ask(method, &id);
        assert!(matches!(&outcome, Outcome::Failed(error) if error.kind == "NoSuchJob"), "{outcome:?}");
    }

    fs::remove_file(folder.join("rogue.wasm")).unwrap();
    let hold = || boss.send(&Request::new(&Call::new("rogue.hold", vec![0.into()])));
    until("the module to go", || matches!(hold(), Outcome::Failed(_)).then_some(()));
    assert_eq!(again(&boss, "one"), Outcome::Ok(id.as_str().into()), "the job outlives its module");
    not_free(&again(&boss, "two"), &id);
    not_free(&again(&other, "one"), &id);

    gate.open("once");
    let ended = Outcome::Ok(Value::Array(vec![1.into(), "once".into()]));
    until("the job's end", || (boss.ask("jobs.job_status", &id) == ended).then_some(()));
    assert_eq!(again(&boss, "one"), Outcome::Ok(id.as_str().into()), "an ended job is the same job");
    assert_eq!(gate.lines(), ["one"]);
}

#[test]
fn a_job_sent_again_is_the_same_job_although_its_module_takes_other_types_now() {
    let mut fleet = Fleet::empty();
    let gate = Gate::new(fleet.folder(), "m1");
    let folder = fleet.add_with("m1", &gate.settings(), &[&guest("rogue")]).modules();
    let boss = As::overlord(&fleet, "boss");
    let id = MinionJobId::fresh();
    let again = || boss.submit(&id, "async.rogue.pass_gate", vec!["one".into()]);
    assert_eq!(again(), Outcome::Ok(id.as_str().into()));

    // The same method, of a number.
    let other = r#"(component
        (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m))
        (func $f (param "line" u32) (result u32) (canon lift (core func $i "f")))
        (instance $rogue (export "pass-gate" (func $f)))
        (export "guests:rogue/rogue@0.1.0" (instance $rogue)))"#;
    fs::write(folder.join(".arriving"), wat::parse_str(other).unwrap()).unwrap();
    fs::rename(folder.join(".arriving"), folder.join("rogue.wasm")).unwrap();
    let number = || boss.send(&Request::new(&Call::new("rogue.pass_gate", vec![7.into()])));
    until("the new types", || (number() == Outcome::Ok(7.into())).then_some(()));

    assert_eq!(again(), Outcome::Ok(id.as_str().into()), "the arguments fitted when the job was accepted");
    let fresh = boss.submit(&MinionJobId::fresh(), "async.rogue.pass_gate", vec!["one".into()]);
    assert!(matches!(&fresh, Outcome::Failed(error) if error.kind == "InvalidArguments"), "{fresh:?}");
    gate.open("once");
    let ended = Outcome::Ok(Value::Array(vec![1.into(), "once".into()]));
    until("the job's end", || (boss.ask("jobs.job_status", &id) == ended).then_some(()));
    assert_eq!(gate.lines(), ["one"]);
}
