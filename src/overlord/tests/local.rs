//! What is answered from the store alone.

use std::{fs, time::Duration};

use super::{World, host, submit, words};
use crate::{
    config::Home,
    fleet::{FleetOptions, Outcome, SkipReason},
    ids::{HostName, OverlordJobId},
    overlord::{Error, JobOptions, Overlord, OverlordConfig},
    store::{Table, once},
    wire::{JobStatus, Secrets},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_is_answered_without_a_connection_or_even_an_identity() {
    let world = World::new();
    let mut minions = [world.minion("m1").await, world.minion("m2").await];
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    for minion in &minions {
        minion.finish(3);
    }
    let mut told = Vec::new();
    let view = overlord.wait(&id, None, |host, outcome| told.push((host.clone(), outcome.clone()))).await.unwrap();
    assert!(view.is_finished() && told.len() == 2);
    let opened = overlord.connections_opened();
    assert!(opened > 0);
    for minion in &mut minions {
        minion.stop().await;
    }

    let nowhere = Overlord::open(OverlordConfig {
        identity: "/nonexistent/identity".into(),
        authority: "/nonexistent".into(),
        inventory: "/nonexistent/inventory".into(),
        map: "/nonexistent/map.toml".into(),
        groups: "/nonexistent/groups".into(),
        told_groups: "/nonexistent/groups.json".into(),
        known_down: "/nonexistent/down".into(),
        facts: "/nonexistent/facts.json".into(),
        store: world.dir.path().join("store"),
        settings: "/nonexistent".into(),
        keep_store_open: false,
        fleet: FleetOptions::default(),
    })
    .unwrap();
    for overlord in [&nowhere, &overlord] {
        assert_eq!(overlord.status(&id).await.unwrap(), view);
        assert_eq!(overlord.poll(&id).await.unwrap(), view);
        assert_eq!(overlord.wait(&id, None, |_, _| {}).await.unwrap(), view);
        let list = overlord.list().await.unwrap().jobs;
        assert_eq!((&list[0].id, list[0].status(), list[0].hosts), (&id, JobStatus::Finished, 2));
        assert_eq!(overlord.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap(), view);
    }
    assert_eq!((nowhere.connections_opened(), overlord.connections_opened()), (0, opened));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_second_have_names_of_their_own_and_are_listed_in_order() {
    let world = World::new();
    let minion = world.minion("m1").await;
    let overlord = world.overlord();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let fan_out = world.submit(&overlord).await;
        ids.push(fan_out.id().clone());
        fan_out.run().await.unwrap();
    }
    let listed: Vec<_> = overlord.list().await.unwrap().jobs.into_iter().map(|line| line.id).collect();
    assert_eq!(listed, ids);
    minion.finish(3);
    let view = overlord.poll(&ids[0]).await.unwrap();
    let line = overlord.list().await.unwrap().jobs.remove(0);
    for data in [view.to_json(), line.to_json()] {
        assert_eq!((&data["summary"]["ok"], &data["summary"]["total"]), (&1.into(), &1.into()), "{data}");
    }
    assert_eq!(minion.ran(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_known_to_be_down_are_in_the_job_and_named_as_skipped() {
    let world = World::new();
    let (m1, m2) = (world.minion("m1").await, world.minion("m2").await);
    fs::write(world.dir.path().join("down"), "m2\n").unwrap();
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    m1.finish(3);
    let view = overlord.wait(&id, None, |_, _| {}).await.unwrap();
    let skipped = view.hosts[&host("m2")].state.outcome();
    assert_eq!(skipped, Some(&Outcome::Skipped(SkipReason::Down)));
    assert_eq!((view.is_finished(), view.summary().skipped, m2.submissions()), (true, 1, 0));

    fs::write(world.dir.path().join("down"), "m1\nm2\n").unwrap();
    let view = world.submit(&overlord).await.run().await.unwrap();
    assert_eq!(words(&view), (JobStatus::Finished, vec!["SKIPPED", "SKIPPED"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_told_of_and_its_jobs_are_unknown() {
    let world = World::new();
    let _minion = world.minion("m1").await;
    let overlord = world.overlord();
    let id = world.submit(&overlord).await.id().clone();
    fs::write(world.dir.path().join("store/data/sled/db"), b"garbage").unwrap();
    assert!(matches!(overlord.status(&id).await, Err(Error::UnknownJob { .. })));
    assert_eq!(overlord.take_set_aside().len(), 1);
    assert_eq!(overlord.take_set_aside().len(), 0);
    submit(&overlord, JobOptions { give_up_after: Duration::from_secs(1), ..JobOptions::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlord_that_keeps_its_store_open_answers_the_same() {
    let world = World::new();
    let minion = world.minion("m1").await;
    let config = OverlordConfig { keep_store_open: true, ..OverlordConfig::at(&Home::at(world.dir.path())) };
    let daemon = Overlord::open(config).unwrap();
    let id = world.hand_out(&daemon).await;
    minion.finish("long ".repeat(10_000));
    let view = daemon.wait(&id, None, |_, _| {}).await.unwrap();
    assert!(view.is_finished());
    drop(daemon);
    assert_eq!(world.overlord().status(&id).await.unwrap(), view);
}

/// The table `states` as another program would have written it.
struct OddState;

impl Table for OddState {
    const NAME: &'static str = "states";
    const VERSION: u8 = 1;
    type Key = (OverlordJobId, HostName);
    type Value = u8;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_record_cannot_be_read_is_named_and_the_others_are_shown_and_waited_for() {
    let world = World::new();
    let (m1, _m2) = (world.minion("m1").await, world.minion("m2").await);
    let overlord = world.overlord();
    let id = world.hand_out(&overlord).await;
    let key = (id.clone(), host("m2"));
    let store = world.dir.path().join("store");
    let (written, _) = once(&store, move |tables| tables.put::<OddState>(&key, &77));
    written.unwrap();
    let view = overlord.status(&id).await.unwrap();
    assert_eq!(words(&view), (JobStatus::Partial, vec!["RUNNING"]));
    assert_eq!(view.unreadable.keys().collect::<Vec<_>>(), ["m2"]);
    m1.finish(3);
    for view in [overlord.poll(&id).await.unwrap(), overlord.wait(&id, None, |_, _| {}).await.unwrap()] {
        assert_eq!((words(&view), view.is_stuck()), ((JobStatus::Partial, vec!["FINISHED"]), true));
        assert!(view.to_json()["unreadable"]["m2"].as_str().is_some_and(|why| why.contains("states")), "{view:?}");
    }
}

/// The table `jobs` as another program would have written it.
struct Odd;

impl Table for Odd {
    const NAME: &'static str = "jobs";
    const VERSION: u8 = 1;
    type Key = OverlordJobId;
    type Value = u8;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_record_cannot_be_read_is_named_and_the_others_are_listed() {
    let world = World::new();
    let _minion = world.minion("m1").await;
    let overlord = world.overlord();
    let (good, bad) = (world.submit(&overlord).await.id().clone(), world.submit(&overlord).await.id().clone());
    let rewrite = bad.clone();
    let store = world.dir.path().join("store");
    let (written, _) = once(&store, move |tables| tables.put::<Odd>(&rewrite, &7));
    written.unwrap();
    let list = overlord.list().await.unwrap();
    assert_eq!(list.jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&good]);
    assert_eq!(list.unreadable.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), [bad.as_str()]);
    assert!(matches!(overlord.status(&bad).await, Err(Error::Store(_))));
}
