//! Once every result is in, the overlord answers from its own store.

use func::config::Home;
use func::overlord::{Overlord, OverlordConfig};

use crate::harness::{Fleet, Minion};

#[test]
fn it_is_answered_with_every_minion_stopped_and_no_connection_is_opened() {
    let mut fleet = Fleet::start(["m1", "m2"]);
    let answer = fleet.func(["call", "*", "test.add", "20", "22", "--async", "--json"]).expect(0).json();
    assert_eq!(answer["status"], "FINISHED");
    let job = answer["id"].as_str().unwrap().to_owned();
    fleet.minions.iter_mut().for_each(Minion::stop);

    let status = fleet.func(["job", "status", &job, "--json"]).expect(0).json();
    assert_eq!(status["status"], "FINISHED");
    for host in ["m1", "m2"] {
        assert_eq!(status["hosts"][host]["result"]["value"], 42);
    }
    let listed = fleet.func(["job", "list"]).expect(0).out;
    assert!(listed.starts_with("STATE") && listed.contains("RESULT") && listed.contains("2/2   2 ok "), "{listed}");
    let waited = fleet.func(["job", "wait", &job]).expect(0);
    assert!(waited.out.contains("m[1-2]\n  42\n"), "{}", waited.out);

    let overlord = Overlord::open(OverlordConfig::at(&Home::at(fleet.home()))).unwrap();
    // What `func job status` does: a job that is not finished would be asked about.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let view = runtime.block_on(overlord.poll(&job.parse().unwrap())).unwrap();
    assert!(view.is_finished());
    assert_eq!(overlord.connections_opened(), 0);
}
