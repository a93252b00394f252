//! Cancelling a job: what was not sent never is, and what was is asked for until it is known to have ended.

use super::{Minion, World, host, is_sent, until, words};
use crate::wire::{
    JobStatus::{Finished, Partial},
    Secrets,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_which_nothing_was_sent_ends_without_a_connection_and_cannot_be_taken_up() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await];
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    drop(fan_out);
    let view = overlord.cancel(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["CANCELLED"; 2]));
    assert_eq!((view.summary().cancelled, view.summary().total()), (2, 2));
    assert!(view.cancelled.is_some() && view.to_json()["cancelled"].is_string() && !view.interrupted);
    assert_eq!(overlord.connections_opened(), 0);
    let again = overlord.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap();
    assert_eq!(again, view);
    assert!(minions.iter().all(|minion| minion.submissions() == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_cancelled_in_mid_fan_out_is_sent_to_nobody_else_and_runs_nowhere() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await, world.minion("m3").await];
    minions[1].close_gate();
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    let handing_out = tokio::spawn(fan_out.run());
    until(&overlord, &id, |view| is_sent(view, "m2") && view.hosts[&host("m1")].state.word() == "RUNNING").await;

    // By another process, as far as the store is concerned.
    let view = world.overlord().cancel(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["CANCELLED"; 3]));
    minions[1].open_gate();
    let view = handing_out.await.unwrap().unwrap();
    assert_eq!(words(&view), (Finished, vec!["CANCELLED"; 3]));
    assert_eq!(view.summary().total(), 3);
    assert_eq!(minions.each_ref().map(Minion::ran), [1, 0, 0], "one had begun");
    assert_eq!(minions[2].submissions(), 0, "its turn had not come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_that_cannot_be_reached_is_named_and_asked_again() {
    let world = World::new();
    let mut gone = world.minion("gone").await;
    let _there = world.minion("there").await;
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    gone.stop().await;
    let view = overlord.cancel(&id).await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING", "CANCELLED"]));
    assert!(view.hosts[&host("gone")].unasked.as_deref().is_some_and(|why| why.contains("unreachable")));

    gone.start_again(&world.authority).await;
    let mut heard = Vec::new();
    let view = overlord.wait(&id, None, |name, outcome| heard.push((name.to_string(), outcome.name()))).await.unwrap();
    heard.sort();
    assert_eq!(words(&view), (Finished, vec!["CANCELLED"; 2]));
    assert_eq!(heard, [("gone".to_owned(), "cancelled"), ("there".to_owned(), "cancelled")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_are_there_stay_and_a_finished_job_is_not_cancelled() {
    let world = World::new();
    let (early, late) = (world.minion("early").await, world.minion("late").await);
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    early.finish(3);
    let view = overlord.cancel(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["FINISHED", "CANCELLED"]));
    assert_eq!((view.summary().ok, view.summary().cancelled), (1, 1));
    assert_eq!(overlord.cancel(&id).await.unwrap(), view, "twice");

    let id = world.hand_out(&overlord).await;
    early.finish(3);
    late.finish(4);
    overlord.poll(&id).await.unwrap();
    let (view, asked) = (overlord.cancel(&id).await.unwrap(), early.questions());
    assert_eq!((words(&view), view.cancelled), ((Finished, vec!["FINISHED"; 2]), None));
    assert_eq!(early.questions(), asked);
}
