//! A job in batches: who is sent what when, and what a stop leaves out.

use std::time::Duration;

use super::{Minion, World, host, minion::Mode, submit, until, words};
use crate::{
    fleet::{Outcome, Rollout, SkipReason, Stage},
    ids::OverlordJobId,
    overlord::{Error, JobOptions, JobView, Overlord},
    wire::{
        JobStatus::{Finished, Running},
        RemoteError, Secrets,
    },
};

fn options(rollout: Rollout) -> JobOptions {
    JobOptions { forks: 2, rollout, ..JobOptions::default() }
}

async fn fleet(world: &World, size: usize) -> Vec<Minion> {
    let mut minions = Vec::new();
    for number in 1..=size {
        minions.push(world.minion(&format!("m{number}")).await);
    }
    minions
}

/// Hands a job out and waits for its end, on a task of its own.
fn to_its_end(overlord: &Overlord, id: OverlordJobId, fan_out: super::FanOut) -> tokio::task::JoinHandle<JobView> {
    let overlord = overlord.clone();
    tokio::spawn(async move {
        fan_out.run().await.unwrap();
        overlord.wait(&id, None, |_, _| {}).await.unwrap()
    })
}

fn ran(minions: &[Minion]) -> Vec<usize> {
    minions.iter().map(Minion::ran).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_sent_when_all_of_the_one_before_it_have_ended() {
    let world = World::new();
    let minions = fleet(&world, 5).await;
    let overlord = world.overlord();
    let rollout = Rollout { canary: 1, batch: Some(2), pause: Duration::from_millis(50), ..Rollout::default() };
    let fan_out = submit(&overlord, options(rollout)).await;
    let id = fan_out.id().clone();
    let running = to_its_end(&overlord, id.clone(), fan_out);
    for (sent, expected) in [(1, [1, 0, 0, 0, 0]), (3, [1, 1, 1, 0, 0]), (5, [1, 1, 1, 1, 1])] {
        let acknowledged = |view: &JobView| view.hosts.values().filter(|host| host.state.word() == "RUNNING").count();
        let done = |view: &JobView| view.summary().total();
        let view = until(&overlord, &id, |view| done(view) + acknowledged(view) == sent).await;
        assert_eq!(ran(&minions), expected);
        assert!(view.status() == Running || sent == 5, "{view:?}");
        assert_eq!(view.to_json()["summary"]["total"], 5);
        minions[..sent].iter().for_each(|minion| minion.finish(3));
    }
    let view = running.await.unwrap();
    assert_eq!((words(&view), ran(&minions)), ((Finished, vec!["FINISHED"; 5]), vec![1; 5]));
    assert_eq!(view.stage, Some(Stage::Asked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_fails_leaves_the_others_alone_and_they_are_told_why() {
    let world = World::new();
    let minions = fleet(&world, 4).await;
    let overlord = world.overlord();
    let fan_out = submit(&overlord, options(Rollout { canary: 2, ..Rollout::default() })).await;
    let id = fan_out.id().clone();
    let running = to_its_end(&overlord, id.clone(), fan_out);
    until(&overlord, &id, |view| view.hosts.values().filter(|host| host.state.word() == "RUNNING").count() == 2).await;
    minions[0].finish(RemoteError::new("Trap", "x"));
    minions[1].finish(3);
    let view = running.await.unwrap();
    let left_out = Outcome::Skipped(SkipReason::Canary);
    for name in ["m3", "m4"] {
        assert_eq!(view.hosts[&host(name)].state.outcome(), Some(&left_out));
    }
    let summary = view.summary();
    assert_eq!((summary.ok, summary.failed, summary.skipped, summary.total()), (1, 1, 2, 4));
    assert_eq!((view.stage, ran(&minions)), (Some(Stage::Stopped(SkipReason::Canary)), vec![1, 1, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_failures_than_allowed_stop_a_hand_out_in_mid_batch() {
    let world = World::new();
    let minions = fleet(&world, 8).await;
    minions.iter().take(6).for_each(|minion| minion.set(Mode::Refuse));
    let overlord = world.overlord();
    let rollout = Rollout { max_fail: Some(2), ..Rollout::default() };
    let view = submit(&overlord, JobOptions { forks: 1, ..options(rollout) }).await.run().await.unwrap();
    let summary = view.summary();
    assert_eq!((summary.refused, summary.skipped, view.status()), (3, 5, Finished));
    assert_eq!(minions.iter().map(Minion::submissions).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_batch_goes_on_where_it_was_with_the_times_it_had() {
    let world = World::new();
    let minions = fleet(&world, 3).await;
    let overlord = world.overlord();
    let rollout = Rollout { batch: Some(1), pause: Duration::from_hours(1), ..Rollout::default() };
    let acceptance = Duration::from_secs(7);
    let fan_out = submit(&overlord, JobOptions { acceptance, ..options(rollout) }).await;
    let id = fan_out.id().clone();
    let running = tokio::spawn(fan_out.run());
    until(&overlord, &id, |view| view.hosts[&host("m1")].state.word() == "RUNNING").await;
    minions[0].finish(3);
    let pausing = |view: &JobView| matches!(view.stage, Some(Stage::Pausing { upto: 1, .. }));
    let stage = until(&overlord, &id, pausing).await.stage;
    running.abort();
    assert!(running.await.is_err());
    let view = overlord.status(&id).await.unwrap();
    assert!(view.interrupted && view.plan.acceptance == acceptance);

    let again = overlord.resume(&id, Secrets::default()).await.unwrap();
    let going_on = tokio::spawn(again.run());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let view = overlord.status(&id).await.unwrap();
    assert_eq!((view.stage, view.interrupted, ran(&minions)), (stage, false, vec![1, 0, 0]), "the pause goes on");
    // A cancel wakes whoever waits for the pause to end.
    let view = overlord.cancel(&id).await.unwrap();
    assert_eq!(words(&view), (Finished, vec!["FINISHED", "CANCELLED", "CANCELLED"]));
    let ended = tokio::time::timeout(Duration::from_secs(20), going_on).await.expect("it sleeps on");
    assert!(ended.unwrap().unwrap().is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_comes_back_is_reached_by_another_try_of_the_same_call() {
    let world = World::new();
    let mut minion = world.minion("m1").await;
    minion.stop().await;
    let overlord = world.overlord();
    let fan_out = submit(&overlord, options(Rollout { retry: 6, ..Rollout::default() })).await;
    let running = tokio::spawn(fan_out.run());
    while overlord.connections_opened() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    minion.start_again(&world.authority).await;
    let view = running.await.unwrap().unwrap();
    assert_eq!((words(&view).1, minion.ran(), minion.submissions()), (vec!["RUNNING"], 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_did_not_end_well_are_tried_again_as_a_job_of_its_own() {
    let world = World::new();
    let mut minions = fleet(&world, 3).await;
    minions[1].set(Mode::Fail);
    minions[2].stop().await;
    let overlord = world.overlord();
    let id = submit(&overlord, options(Rollout::default())).await.run().await.unwrap().id;
    minions[0].finish(3);
    assert!(overlord.wait(&id, None, |_, _| {}).await.unwrap().is_finished());

    let none = overlord
        .retry(&id, |outcome| matches!(outcome, Outcome::Cancelled), |_| Rollout::default(), &Secrets::default())
        .await;
    assert!(matches!(none, Err(Error::NothingToRetry { .. })));
    minions[1].set(Mode::Accept);
    minions[2].start_again(&world.authority).await;
    let again = |outcome: &Outcome| !outcome.is_ok();
    let fan_out = overlord
        .retry(&id, again, |hosts| Rollout { canary: hosts - 1, ..Rollout::default() }, &Secrets::default())
        .await
        .unwrap();
    let second = fan_out.id().clone();
    let running = to_its_end(&overlord, second.clone(), fan_out);
    for number in [1, 2] {
        let minion = &minions[number];
        until(&overlord, &second, |view| view.summary().total() + 1 == number && minion.ran() == 1).await;
        minion.finish(4);
    }
    let view = running.await.unwrap();
    assert_eq!((view.hosts.len(), view.summary().ok, view.plan.retry_of.clone()), (2, 2, Some(id.clone())));
    assert_eq!(view.to_json()["retry_of"], id.as_str());
    assert_eq!(overlord.status(&id).await.unwrap().summary().failed, 1, "the old job stays as it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_waits_no_longer_for_a_host_that_is_gone_than_its_job_may_take() {
    let world = World::new();
    let mut minions = fleet(&world, 3).await;
    let overlord = world.overlord();
    let rollout = Rollout { batch: Some(1), ..Rollout::default() };
    let (time, acceptance) = (Some(Duration::from_millis(300)), Duration::from_millis(300));
    let fan_out = submit(&overlord, JobOptions { timeout: time, acceptance, ..options(rollout) }).await;
    let id = fan_out.id().clone();
    let running = to_its_end(&overlord, id.clone(), fan_out);
    until(&overlord, &id, |view| view.hosts[&host("m1")].state.word() == "RUNNING").await;
    minions[0].stop().await;
    // It is no news of the second that the first is gone.
    until(&overlord, &id, |view| view.hosts[&host("m2")].state.word() == "RUNNING").await;
    minions[1].finish(3);
    until(&overlord, &id, |view| view.hosts[&host("m3")].state.word() == "RUNNING").await;
    // The last batch holds nobody up: this one is not given up, however long it is gone.
    minions[2].stop().await;
    let view = overlord.status(&id).await.unwrap();
    let lost = view.hosts[&host("m1")].state.outcome().unwrap();
    assert!(matches!(lost, Outcome::Lost { .. }) && lost.to_string().contains("its time was over"), "{lost}");
    minions[2].finish(4);
    tokio::time::sleep(Duration::from_millis(700)).await;
    minions[2].start_again(&world.authority).await;
    let view = running.await.unwrap();
    assert_eq!((view.summary().lost, view.summary().ok, view.summary().total()), (1, 2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_often_a_host_was_sent_its_part_is_told() {
    let world = World::new();
    let mut minions = fleet(&world, 3).await;
    let overlord = world.overlord();
    minions[0].stop().await;
    minions[1].set(Mode::Drop);
    let rollout = Rollout { retry: 1, ..Rollout::default() };
    let fan_out = submit(&overlord, options(rollout)).await;
    let id = fan_out.id().clone();
    let running = to_its_end(&overlord, id.clone(), fan_out);
    until(&overlord, &id, |view| minions[1].submissions() > 0 && view.hosts[&host("m3")].state.word() == "RUNNING")
        .await;
    minions[1].set(Mode::Accept);
    let view = until(&overlord, &id, |view| view.hosts[&host("m2")].state.word() == "RUNNING").await;
    assert!(view.hosts[&host("m2")].attempts >= 2, "{view:?}");
    minions[1..].iter().for_each(|minion| minion.finish(3));
    let view = running.await.unwrap();
    let attempts = |name: &str| view.hosts[&host(name)].attempts;
    assert_eq!((attempts("m1"), attempts("m3")), (2, 1), "{view:?}");
    assert!(matches!(view.hosts[&host("m1")].state.outcome(), Some(Outcome::Unreachable { .. })));

    minions.drain(..).for_each(drop);
    let canary = submit(&overlord, options(Rollout { canary: 1, ..Rollout::default() })).await;
    let id = canary.id().clone();
    let view = to_its_end(&overlord, id, canary).await.unwrap();
    assert_eq!(view.hosts.values().map(|host| host.attempts).collect::<Vec<_>>(), [1, 0, 0], "{view:?}");
}
