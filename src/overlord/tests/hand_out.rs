//! Every part is sent, and none runs twice, whatever breaks.

use std::time::Duration;

use super::{World, host, is_sent, minion::Mode, submit, until, words};
use crate::{
    overlord::{Error, JobOptions},
    wire::{
        JobStatus::{Finished, Partial, Running},
        Secrets,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_dropped_before_it_was_sent_is_interrupted_and_can_be_resumed() {
    let world = World::new();
    let minion = world.minion("m1").await;
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    assert!(!overlord.status(&id).await.unwrap().interrupted);
    let taken = overlord.resume(&id, Secrets::default()).await.unwrap_err();
    assert!(matches!(taken, Error::BeingHandedOut { pid: Some(_), .. }), "{taken}");
    drop(fan_out);
    let view = overlord.status(&id).await.unwrap();
    assert_eq!((words(&view), view.interrupted), ((Running, vec!["PLANNED"]), true));
    assert!(overlord.list().await.unwrap().jobs[0].interrupted);
    assert!(overlord.wait(&id, None, |_, _| {}).await.unwrap().interrupted, "waiting for nobody");

    let view = overlord.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap();
    assert_eq!((words(&view), view.interrupted, minion.ran()), ((Partial, vec!["RUNNING"]), false, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fan_out_that_was_cut_off_goes_on_and_runs_nothing_twice() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await, world.minion("m3").await];
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    minions[1].close_gate();
    let running = tokio::spawn(fan_out.run());
    until(&overlord, &id, |view| is_sent(view, "m2") && minions[1].submissions() == 1).await;
    running.abort();
    assert!(running.await.is_err());
    assert!(overlord.status(&id).await.unwrap().interrupted);

    minions[1].open_gate();
    let view = overlord.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"; 3]));
    assert_eq!(minions.each_ref().map(super::Minion::ran), [1, 1, 1]);
    assert_eq!(minions[0].submissions(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_that_accepted_without_saying_so_is_asked_and_not_sent_it_again() {
    let world = World::new();
    let minion = world.minion("m1").await;
    minion.set(Mode::AcceptInSilence);
    let overlord = world.overlord();
    let view = world.submit(&overlord).await.run().await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"]));
    assert_eq!((minion.ran(), minion.submissions()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_never_arrived_is_sent_again_by_whoever_waits() {
    let world = World::new();
    let minion = world.minion("m1").await;
    minion.set(Mode::Drop);
    let overlord = world.overlord();
    let fan_out = world.submit(&overlord).await;
    let id = fan_out.id().clone();
    let view = fan_out.run().await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["SENT"]));
    assert!(minion.submissions() > 1, "it does not know the job, so it is sent again");
    minion.set(Mode::Accept);
    let mut finishing = tokio::spawn({
        let overlord = world.overlord();
        async move { overlord.wait(&id, None, |_, _| {}).await.unwrap() }
    });
    let view = loop {
        tokio::select! {
            view = &mut finishing => break view.unwrap(),
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => minion.finish(3),
        }
    };
    assert_eq!((words(&view), minion.ran()), ((Finished, vec!["FINISHED"]), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_minion_will_not_or_cannot_do_is_its_outcome_at_once() {
    let world = World::new();
    let mut gone = world.minion("gone").await;
    let (refuses, fails) = (world.minion("refuses").await, world.minion("fails").await);
    refuses.set(Mode::Refuse);
    fails.set(Mode::Fail);
    gone.stop().await;
    let overlord = world.overlord();
    let view = world.submit(&overlord).await.run().await.unwrap();
    let outcome = |name| view.hosts[&host(name)].state.outcome().map_or("none", |outcome| outcome.name());
    assert_eq!(["gone", "refuses", "fails"].map(outcome), ["unreachable", "refused", "failed"]);
    assert!(view.is_finished());
    let summary = view.summary();
    assert_eq!((summary.unreachable, summary.refused, summary.failed, summary.total()), (1, 1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_holds_the_hand_out_up_for_as_long_as_it_may_and_no_longer() {
    let world = World::new();
    let minion = world.minion("m1").await;
    minion.close_gate();
    let overlord = world.overlord();
    let options = JobOptions { acceptance: Duration::from_millis(300), ..JobOptions::default() };
    let handing_out = submit(&overlord, options).await.run();
    let view =
        tokio::time::timeout(JobOptions::default().acceptance, handing_out).await.expect("it was held up").unwrap();
    assert_eq!(words(&view), (Partial, vec!["SENT"]));
}
