//! The table of the protocol, step by step, with two minions.

use super::{World, host, is_sent, until, words};
use crate::{
    fleet::Outcome,
    wire::JobStatus::{Finished, Partial, Running},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_six_steps_of_a_job() {
    let world = World::new();
    let (m1, m2) = (world.minion("m1").await, world.minion("m2").await);
    let (overlord, looker) = (world.overlord(), world.overlord());

    // 1: the map is durable, nothing was sent.
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    let view = looker.status(&id).await.unwrap();
    assert_eq!((words(&view), view.interrupted), ((Running, vec!["PLANNED", "PLANNED"]), false));
    assert_eq!((m1.submissions(), m2.submissions()), (0, 0));
    let map: Vec<_> = view.hosts.values().map(|host| host.minion_job.clone().unwrap()).collect();

    // 2: the first minion has its part, the second is being handed its own.
    m2.close_gate();
    let running = tokio::spawn(fan_out.run());
    let view = until(&looker, &id, |view| view.hosts[&host("m1")].state.word() == "RUNNING").await;
    assert!(view.status() == Running && is_sent(&view, "m2") && !view.interrupted);

    // 3: both work, the fan-out is done.
    m2.open_gate();
    let view = running.await.unwrap().unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING", "RUNNING"]));
    assert_eq!(words(&looker.status(&id).await.unwrap()), (Partial, vec!["RUNNING", "RUNNING"]));

    // 4: the first has finished.
    m1.finish(3);
    let view = looker.poll(&id).await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["FINISHED", "RUNNING"]));

    // 5: both have, and the overlord has not asked yet.
    m2.finish(4);
    assert!(m1.all_finished() && m2.all_finished());
    let view = looker.status(&id).await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["FINISHED", "RUNNING"]));
    let kept: Vec<_> = view.hosts.values().map(|host| host.minion_job.clone().unwrap()).collect();
    assert_eq!(kept, map, "partial results have touched the map");

    // 6: every result is here.
    let asked_before = m1.questions();
    let view = overlord.poll(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["FINISHED", "FINISHED"]));
    let results: Vec<_> = view.outcomes().map(|(_, outcome)| outcome.clone()).collect();
    assert_eq!(results, [Outcome::Ok(3.into()), Outcome::Ok(4.into())]);
    assert_eq!(m1.questions(), asked_before, "a minion whose result is here was asked again");
    assert_eq!(m1.overlord_jobs(), [id.as_str()]);
}
