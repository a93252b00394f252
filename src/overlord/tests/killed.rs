//! An overlord killed before or in its fan-out, as a process of its own.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Minion, World, is_sent, overlord, submit, until, words};
use crate::{
    ids::OverlordJobId,
    overlord::{JobOptions, Overlord},
    wire::{
        JobStatus::{Partial, Running},
        Secrets,
    },
};

const HOME: &str = "FUNC_TEST_OVERLORD_HOME";

/// Submits and hands out; runs only as a child of the test below.
#[tokio::test]
async fn child_that_hands_out() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let options = JobOptions { forks: 1, ..JobOptions::default() };
    submit(&overlord(&home), options).await.run().await.unwrap();
}

/// Submits and does nothing more; runs only as a child of the test below.
#[tokio::test]
async fn child_that_plans() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let _fan_out = submit(&overlord(&home), JobOptions::default()).await;
    std::future::pending::<()>().await;
}

fn start(child: &str, world: &World) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("overlord::tests::killed::{child}")])
        .env(HOME, world.dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The job of a child, once it is in the store.
async fn only_job(looker: &Overlord) -> OverlordJobId {
    let looking = async {
        loop {
            if let Some(line) = looker.list().await.unwrap().jobs.pop() {
                return line.id;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.expect("the job was never there")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlord_killed_before_it_sent_anything_is_gone_on_with_and_each_part_runs_once() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await];
    let mut child = start("child_that_plans", &world);
    let looker = world.overlord();
    let id = only_job(&looker).await;
    assert!(!looker.status(&id).await.unwrap().interrupted);
    child.kill().unwrap();
    child.wait().unwrap();

    let view = looker.status(&id).await.unwrap();
    assert_eq!((words(&view), view.interrupted), ((Running, vec!["PLANNED"; 2]), true));
    assert_eq!(minions.each_ref().map(Minion::submissions), [0, 0]);
    let view = looker.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"; 2]));
    assert_eq!(minions.each_ref().map(|minion| (minion.ran(), minion.submissions())), [(1, 1), (1, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlord_killed_in_mid_fan_out_is_gone_on_with_and_runs_nothing_twice() {
    let world = World::new();
    let minions = [world.minion("m1").await, world.minion("m2").await, world.minion("m3").await];
    minions[1].close_gate();
    let mut child = start("child_that_hands_out", &world);
    let looker = world.overlord();
    let id = only_job(&looker).await;
    let handed_to = |view: &super::JobView| is_sent(view, "m2") && minions[1].submissions() == 1;
    let view = until(&looker, &id, handed_to).await;
    assert!(!view.interrupted);
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(looker.status(&id).await.unwrap().interrupted);
    minions[1].open_gate();
    let view = looker.resume(&id, Secrets::default()).await.unwrap().run().await.unwrap();
    assert_eq!(words(&view), (Partial, vec!["RUNNING"; 3]));
    assert_eq!(minions.each_ref().map(Minion::ran), [1, 1, 1]);
    // The second may have to be sent again, if its minion had not understood the first time; then under the same id.
    let [first, second, third] = minions.each_ref().map(Minion::submissions);
    assert!((first, third) == (1, 1) && second <= 2, "{first} {second} {third}");
}
