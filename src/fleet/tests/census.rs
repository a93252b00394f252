//! Every host of a fan-out ends in exactly one outcome, and no more calls run at once than asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;

use super::server::{Behaviour, Reaction, Server, authority, fleet, serve};
use crate::{
    ca::Host,
    fleet::{FleetOptions, Outcome, Request, Summary, Width},
    wire::{Answer, Call, Fault, Value},
};

fn ping() -> Request {
    Request::new(&Call::new("test.ping", vec![]))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_ends_in_exactly_one_outcome() {
    let authority = authority();
    let mut servers: Vec<Server> = Vec::new();
    let behaviours: [fn() -> Reaction; 4] = [
        || Reaction::Answer(Answer::Value(Value::Nil)),
        || Reaction::Answer(Answer::Fault(Fault::refused("no"))),
        || Reaction::HangUp,
        || Reaction::Silence,
    ];
    for number in 0..40 {
        let react = behaviours[number % 4];
        let behaviour: Behaviour = Arc::new(move |_, _| react());
        servers.push(serve(&authority, &format!("m{number}"), behaviour).await);
    }
    let mut hosts: Vec<Host> = servers.iter().map(|server| server.host.clone()).collect();
    for number in 40..50 {
        hosts.push(Host { name: format!("m{number}").parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() });
    }
    let fleet = fleet(&authority, FleetOptions::default());
    // Those that never answer are given little time; the others would need it on a slow machine.
    let silent: Vec<_> = servers.iter().skip(3).step_by(4).map(|server| server.host.name.clone()).collect();
    let request = |host: &Host| {
        let short = silent.contains(&host.name);
        ping().timeout(if short { Duration::from_secs(2) } else { Duration::from_mins(1) })
    };
    let twice = hosts.iter().chain(&hosts).map(|host| (host.clone(), request(host)));
    let start = Instant::now();
    let outcomes: Vec<_> =
        fleet.fan_out(twice.collect::<Vec<_>>(), Width { forks: 64, max_fail: None }).collect().await;
    assert!(start.elapsed() < Duration::from_secs(15), "silent hosts cost more than their own deadline");
    let by_host: BTreeMap<_, _> = outcomes.iter().cloned().collect();
    assert_eq!((outcomes.len(), by_host.len()), (50, 50));
    let summary: Summary = by_host.values().collect();
    let expected = Summary { ok: 10, refused: 10, lost: 10, timed_out: 10, unreachable: 10, ..Summary::default() };
    assert_eq!(summary, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_run_at_once_than_asked_for() {
    let authority = authority();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut servers = Vec::new();
    for number in 0..30 {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let behaviour: Behaviour = Arc::new(move |_, _| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(3));
            now.fetch_sub(1, Ordering::SeqCst);
            Reaction::Answer(Answer::Value(Value::Nil))
        });
        servers.push(serve(&authority, &format!("m{number}"), behaviour).await);
    }
    let calls: Vec<_> = servers.iter().map(|server| (server.host.clone(), ping())).collect();
    let fleet = fleet(&authority, FleetOptions::default());
    let outcomes: Vec<(_, Outcome)> = fleet.fan_out(calls, Width { forks: 3, max_fail: None }).collect().await;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()) && outcomes.len() == 30);
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_failures_the_others_are_left_alone() {
    let authority = authority();
    let host = |number| Host { name: format!("m{number}").parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() };
    let calls: Vec<_> = (0..20).map(|number| (host(number), ping())).collect();
    let fleet = fleet(&authority, FleetOptions::default());
    let outcomes: Vec<_> = fleet.fan_out(calls, Width { forks: 1, max_fail: Some(3) }).collect().await;
    let summary: Summary = outcomes.iter().map(|(_, outcome)| outcome).collect();
    assert_eq!((summary.unreachable, summary.skipped), (3, 17));
}
