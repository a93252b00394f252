//! Hundreds of minions, one overlord: every host is counted once, connections are kept, a job comes to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use func::config::Home;
use func::fleet::{Outcome, Selector, Summary};
use func::minion::sim::{self, SimConfig};
use func::overlord::{CallOptions, JobOptions, Overlord, OverlordConfig};
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const HOSTS: u32 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn every_host_is_counted_once_and_a_job_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = SimConfig { minions: HOSTS, home: home.clone() };
    let fleet = sim::prepare(&config, listener.local_addr().unwrap()).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let minions = tokio::spawn(sim::serve(listener, fleet, async { drop(stopped.await) }));

    let overlord = Overlord::open(OverlordConfig::at(&home)).unwrap();
    let everybody = || overlord.select(&Selector::new("*".parse().unwrap())).unwrap();
    let options = CallOptions { timeout: Some(Duration::from_mins(2)), ..CallOptions::default() };
    for _ in 0..2 {
        let answers = overlord.call(everybody(), &"test.add".parse().unwrap(), vec![1.into(), 2.into()], options);
        let answers: Vec<_> = answers.unwrap().collect().await;
        let hosts: BTreeSet<_> = answers.iter().map(|(host, _)| host.clone()).collect();
        assert_eq!((answers.len(), hosts.len()), (HOSTS as usize, HOSTS as usize));
        let odd = answers.iter().find(|(_, outcome)| *outcome != Outcome::Ok(3.into()));
        assert_eq!(odd, None);
        assert_eq!(overlord.connections_opened(), u64::from(HOSTS), "connections were not kept");
    }

    let job =
        overlord.submit("*", everybody(), "test.add".parse().unwrap(), vec![1.into(), 2.into()], JobOptions::default());
    let job = job.await.unwrap();
    let id = job.id().clone();
    job.run().await.unwrap();
    let mut heard = BTreeSet::new();
    let view = overlord.wait(&id, Some(Duration::from_mins(2)), |host, _| assert!(heard.insert(host.clone()))).await;
    let view = view.unwrap();
    assert!(view.is_finished(), "{:?}", view.progress);
    assert_eq!(view.summary(), Summary { ok: HOSTS as usize, ..Summary::default() });
    assert_eq!(heard.len(), HOSTS as usize);

    drop(stop);
    minions.await.unwrap().unwrap();
    let opened = overlord.connections_opened();
    assert_eq!(overlord.poll(&id).await.unwrap(), view);
    assert_eq!(overlord.connections_opened(), opened);
}
