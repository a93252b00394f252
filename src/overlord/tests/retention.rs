//! What the store keeps of ended jobs.

use std::{fs, time::Duration};

use super::{World, host};
use crate::{
    ids::OverlordJobId,
    overlord::{Error, Keep, Overlord},
};

async fn known(overlord: &Overlord) -> Vec<OverlordJobId> {
    overlord.list().await.unwrap().jobs.into_iter().map(|job| job.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_ended_jobs_go_and_one_that_is_open_never_does() {
    let world = World::new();
    let minion = world.minion("m1").await;
    let overlord = world.overlord();
    let open = world.hand_out(&overlord).await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let id = world.hand_out(&overlord).await;
        overlord.cancel(&id).await.unwrap();
        ended.push(overlord.wait(&id, None, |_, _| {}).await.unwrap().id);
    }
    let all = Keep { age: Duration::MAX, jobs: usize::MAX, bytes: u64::MAX };
    assert_eq!(overlord.keep_within(&ended[2], all).await.unwrap(), 0);
    assert_eq!(overlord.keep_within(&ended[2], Keep { jobs: 2, ..all }).await.unwrap(), 1);
    assert_eq!(known(&overlord).await, [open.clone(), ended[1].clone(), ended[2].clone()]);
    // Nothing is small enough, and still the newest stays.
    assert_eq!(overlord.keep_within(&ended[2], Keep { bytes: 0, ..all }).await.unwrap(), 1);
    assert!(matches!(overlord.status(&ended[1]).await, Err(Error::UnknownJob { .. })));
    assert_eq!(known(&overlord).await, [open.clone(), ended[2].clone()]);
    assert!(matches!(overlord.purge(vec![open.clone()]).await, Err(Error::Live { .. })));
    assert_eq!(overlord.status(&open).await.unwrap().hosts[&host("m1")].state.word(), "RUNNING");
    drop(minion);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_job_makes_room_by_the_settings() {
    let world = World::new();
    let _minion = world.minion("m1").await;
    let overlord = world.overlord();
    fs::write(world.dir.path().join("overlord.toml"), "[jobs]\nkeep = 1\n").unwrap();
    let mut last = None;
    for _ in 0..2 {
        let id = world.hand_out(&overlord).await;
        overlord.cancel(&id).await.unwrap();
        last = Some(overlord.wait(&id, None, |_, _| {}).await.unwrap().id);
    }
    assert_eq!(known(&overlord).await, [last.unwrap()]);
    // A file that cannot be used keeps everything, and nobody's answer from him.
    fs::write(world.dir.path().join("overlord.toml"), "[jobs]\nkeep = -1\n").unwrap();
    let id = world.hand_out(&overlord).await;
    overlord.cancel(&id).await.unwrap();
    overlord.wait(&id, None, |_, _| {}).await.unwrap();
    assert_eq!(known(&overlord).await.len(), 2);
}
