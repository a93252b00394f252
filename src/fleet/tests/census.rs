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

use super::server::{Behaviour, Reaction, Server, authority, fleet, serve, serve_at};
use crate::{
    ca::Host,
    fleet::{DELEGATE, FleetOptions, Outcome, Request, Rollout, SkipReason, Summary, Width, delegated_first, relayed},
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
    let outcomes: Vec<_> = fleet.fan_out(twice.collect::<Vec<_>>(), Width::of(64)).collect().await;
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
    let outcomes: Vec<(_, Outcome)> = fleet.fan_out(calls, Width::of(3)).collect().await;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()) && outcomes.len() == 30);
    assert!(most.load(Ordering::SeqCst) <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_more_failures_than_allowed_the_others_are_left_alone_and_the_canary_goes_first() {
    let authority = authority();
    let ok = serve(&authority, "m9", Arc::new(|_, _| Reaction::Answer(Answer::Value(Value::Nil)))).await;
    let gone = |number| Host { name: format!("m{number}").parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() };
    let fleet = fleet(&authority, FleetOptions::default());
    for (rollout, ended) in [
        (Rollout { max_fail: Some(2), ..Rollout::default() }, (1, 3, 16, SkipReason::MaxFail)),
        (Rollout { canary: 2, ..Rollout::default() }, (1, 1, 18, SkipReason::Canary)),
        (
            Rollout { canary: 1, batch: Some(7), max_fail: Some(2), ..Rollout::default() },
            (1, 3, 16, SkipReason::MaxFail),
        ),
    ] {
        let calls = std::iter::once(ok.host.clone()).chain((10..29).map(gone)).map(|host| (host, ping()));
        let outcomes: Vec<_> = fleet.fan_out(calls, Width { forks: 1, rollout }).collect().await;
        let summary: Summary = outcomes.iter().map(|(_, outcome)| outcome).collect();
        assert_eq!((summary.ok, summary.unreachable, summary.skipped), (ended.0, ended.1, ended.2), "{rollout:?}");
        assert_eq!((summary.total(), &outcomes[19].1), (20, &Outcome::Skipped(ended.3)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_begins_when_the_one_before_it_has_ended_and_its_pause_is_over() {
    let authority = authority();
    let began = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut servers = Vec::new();
    for number in 0..5 {
        let began = Arc::clone(&began);
        let behaviour: Behaviour = Arc::new(move |_, _| {
            began.lock().unwrap().push((number, Instant::now()));
            Reaction::Answer(Answer::Value(Value::Nil))
        });
        servers.push(serve(&authority, &format!("m{number}"), behaviour).await);
    }
    let calls: Vec<_> = servers.iter().map(|server| (server.host.clone(), ping())).collect();
    let pause = Duration::from_millis(300);
    let rollout = Rollout { batch: Some(2), pause, ..Rollout::default() };
    let fleet = fleet(&authority, FleetOptions::default());
    let outcomes: Vec<_> = fleet.fan_out(calls, Width { forks: 9, rollout }).collect().await;
    assert!(outcomes.len() == 5 && outcomes.iter().all(|(_, outcome)| outcome.is_ok()));
    let began = began.lock().unwrap();
    let batch = |numbers: [usize; 2]| {
        began.iter().filter(|(number, _)| numbers.contains(number)).map(|(_, at)| *at).collect::<Vec<_>>()
    };
    let [first, second, third] = [[0, 1], [2, 3], [4, 4]].map(batch);
    for (before, after) in [(&first, &second), (&second, &third)] {
        assert!(*after.iter().min().unwrap() >= *before.iter().max().unwrap() + pause);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_be_reached_is_tried_again_and_one_that_may_have_run_it_is_not() {
    let authority = authority();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let hangs_up: Behaviour = Arc::new(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Reaction::HangUp
    });
    let lost = serve(&authority, "m1", hangs_up).await;
    let late = serve(&authority, "m2", Arc::new(|_, _| Reaction::Answer(Answer::Value(Value::Nil)))).await;
    let (at, host) = (late.host.address.to_string().parse().unwrap(), late.host.clone());
    late.stop().await;
    let fleet = fleet(&authority, FleetOptions::default());
    let rollout = Rollout { retry: 5, ..Rollout::default() };
    let both = [(lost.host.clone(), ping()), (host, ping())];
    let calling = fleet.fan_out(both, Width { forks: 2, rollout }).collect::<BTreeMap<_, _>>();
    let coming_back = async {
        while fleet.connections_opened() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        serve_at(&authority, "m2", at, Arc::new(|_, _| Reaction::Answer(Answer::Value(2.into())))).await
    };
    let (outcomes, _late) = tokio::join!(calling, coming_back);
    assert_eq!(outcomes["m2"], Outcome::Ok(2.into()));
    assert!(matches!(outcomes["m1"], Outcome::Lost { .. }));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it may have run there");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_passes_calls_on_is_called_after_they_have_been_answered() {
    let authority = authority();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let hop: Behaviour = Arc::new(move |call, _| {
        let record = Arc::clone(&record);
        Reaction::Later(Box::pin(async move {
            if call.method == DELEGATE {
                tokio::time::sleep(Duration::from_millis(100)).await;
                record.lock().unwrap().push("passed on");
                return Answer::Value(relayed(Outcome::Ok(Value::Nil)));
            }
            record.lock().unwrap().push("called itself");
            Answer::Value(Value::Nil)
        }))
    });
    let hop = serve(&authority, "hop", hop).await;
    let other = serve(&authority, "other", Arc::new(|_, _| Reaction::Answer(Answer::Value(Value::Nil)))).await;
    let behind = |number| Host {
        name: format!("leaf{number}").parse().unwrap(),
        address: hop.host.address.clone().through(vec![hop.host.name.clone()]),
    };
    let mut hosts = vec![hop.host.clone(), other.host.clone(), behind(1), behind(2)];
    delegated_first(&mut hosts, |host| host);
    let fleet = fleet(&authority, FleetOptions::default());
    let calls = hosts.into_iter().map(|host| (host, ping()));
    let outcomes: Vec<(_, Outcome)> = fleet.fan_out(calls, Width::of(64)).collect().await;
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()) && outcomes.len() == 4, "{outcomes:?}");
    assert_eq!(outcomes[0].0.as_str(), "other", "nobody else waits");
    assert_eq!(*seen.lock().unwrap(), ["passed on", "passed on", "called itself"]);
}
