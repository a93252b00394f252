//! Gathering results while minions come and go.

use std::time::Duration;

use super::{World, host, submit, words};
use crate::{
    fleet::Outcome,
    overlord::JobOptions,
    wire::JobStatus::{Finished, Partial},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_that_is_down_leaves_the_job_partial_and_its_real_result_arrives_later() {
    let world = World::new();
    let mut minion = world.minion("m1").await;
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    minion.finish(3);
    minion.stop().await;

    let view = overlord.poll(&id).await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"]));
    assert!(view.hosts[&host("m1")].unasked.as_deref().is_some_and(|why| why.contains("unreachable")), "{view:?}");
    assert!(view.to_json()["hosts"]["m1"]["unasked"].is_string());
    let view = overlord.wait(&id, Some(Duration::from_millis(300)), |_, _| {}).await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"]));

    minion.start_again(&world.authority).await;
    let view = overlord.poll(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["FINISHED"]));
    assert_eq!(view.hosts[&host("m1")].state.outcome(), Some(&Outcome::Ok(3.into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_that_has_moved_is_asked_where_it_is_now() {
    let world = World::new();
    let mut minion = world.minion("m1").await;
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    minion.finish(3);
    let was = minion.host().address;
    minion.move_away(&world.authority).await;
    world.enter(&minion);
    assert_ne!(minion.host().address, was);
    assert!(overlord.poll(&id).await.unwrap().is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_that_has_forgotten_a_job_it_accepted_has_lost_it() {
    let world = World::new();
    let minion = world.minion("m1").await;
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    minion.forget();
    let view = overlord.poll(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["LOST_IN_SPACE"]));
    assert_eq!(minion.submissions(), 1, "what a minion has accepted is never sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_time_for_the_whole_job_its_hosts_are_given_up_by_name() {
    let world = World::new();
    let (mut gone, running) = (world.minion("gone").await, world.minion("runs").await);
    let overlord = world.overlord();
    let fan_out = submit(&overlord, JobOptions { give_up_after: Duration::ZERO, ..JobOptions::default() }).await;
    let id = fan_out.id().clone();
    // Nothing is sent any more in a job that is given up, so that it can be shown: the parts were never sent.
    let view = fan_out.run().await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["UNREACHABLE", "UNREACHABLE"]));
    assert_eq!((running.submissions(), overlord.poll(&id).await.unwrap()), (0, view));

    let patience = JobOptions { give_up_after: Duration::from_millis(1500), ..JobOptions::default() };
    let fan_out = submit(&overlord, patience).await;
    let id = fan_out.id().clone();
    fan_out.run().await.unwrap();
    gone.stop().await;
    let view = overlord.wait(&id, Some(Duration::from_secs(20)), |_, _| {}).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["LOST_IN_SPACE", "LOST_IN_SPACE"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_who_wait_for_one_job_all_hear_of_every_result_once() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await];
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    let waiters = (0..3).map(|_| {
        let (overlord, id) = (world.overlord(), id.clone());
        tokio::spawn(async move {
            let mut heard = Vec::new();
            let view = overlord.wait(&id, None, |host, _| heard.push(host.to_string())).await.unwrap();
            heard.sort();
            (view.is_finished(), heard)
        })
    });
    let waiters: Vec<_> = waiters.collect();
    fan_out.run().await.unwrap();
    for minion in &minions {
        minion.finish(3);
    }
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), (true, vec!["m1".to_owned(), "m2".to_owned()]));
    }
}
