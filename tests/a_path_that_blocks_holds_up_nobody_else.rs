//! A path that blocks holds up the call that asked for it, for a time, and no other call.

use std::{fs, thread};

use func::fleet::Outcome;
use func::wire::Value;
use nix::sys::stat::Mode;

use crate::harness::{Fleet, guest, until};

#[test]
fn calls_are_answered_while_more_of_them_than_threads_are_blocked() {
    let mut fleet = Fleet::empty();
    let (log, fifo) = (fleet.folder().join("log"), fleet.folder().join("fifo"));
    fs::write(&log, "").unwrap();
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let grants = format!("[grants.rogue]\nread = [{fifo:?}]\nwrite = [{log:?}]\n");
    fleet.add_with("m1", &grants, &[&guest("rogue")]);
    let fleet = &fleet;
    let path = |path: &std::path::Path| Value::from(path.to_str().unwrap());
    let blocked_at_once = 2 * thread::available_parallelism().unwrap().get() + 2;

    // An append waits two seconds for a lock, so all of this must happen meanwhile: on a machine that is
    // too busy for that, it is tried again.
    until("a call to be answered while others are blocked", || {
        let lock = fs::File::open(&log).unwrap();
        lock.lock().unwrap();
        thread::scope(|scope| {
            let append = || fleet.ask("m1", "rogue.append_line", vec![path(&log), "x".into()]);
            let before = fleet.whole_audit("m1", "rogue.append_line").len();
            let blocked: Vec<_> = (0..blocked_at_once).map(|_| scope.spawn(append)).collect();
            until("all of them to be called", || {
                (fleet.whole_audit("m1", "rogue.append_line").len() >= before + blocked_at_once).then_some(())
            });
            let answered = fleet.ask("m1", "rogue.hold", vec![Value::Int(0)]);
            assert_eq!(answered, Outcome::Ok(Value::Int(0)));
            let meanwhile = !blocked.iter().any(thread::ScopedJoinHandle::is_finished);
            for append in blocked {
                let outcome = append.join().unwrap();
                assert!(matches!(&outcome, Outcome::Failed(error) if error.kind == "busy"), "{outcome:?}");
            }
            meanwhile.then_some(())
        })
    });

    // A pipe that nobody writes to is not even waited for.
    let outcome = fleet.ask("m1", "rogue.read", vec![path(&fifo)]);
    assert!(matches!(&outcome, Outcome::Failed(error) if error.kind == "invalid"), "{outcome:?}");
}
