//! One host among many that misbehaves costs its own time at most, and its end has a name.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use super::server::{Behaviour, Reaction, Server, authority, fleet, serve};
use crate::{
    ca::Host,
    fleet::{FleetOptions, Outcome, Request, Width},
    wire::{Answer, Call, Value},
};

/// How long each host has.
const TIME: Duration = Duration::from_secs(2);

/// Somebody who takes connections, says this, and then nothing more.
async fn stranger(name: &str, says: &'static [u8]) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { name: name.parse().unwrap(), address: listener.local_addr().unwrap().into() };
    tokio::spawn(async move {
        let mut clients = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(says).await;
            clients.push(client);
        }
    });
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn each_that_misbehaves_ends_in_a_named_outcome_and_the_others_are_on_time() {
    let authority = authority();
    let long = || Answer::Value(Value::from("x".repeat(1000)));
    let behaviours: [(&str, Behaviour); 6] = [
        ("silent", Arc::new(|_, _| Reaction::Silence)),
        ("garbage", Arc::new(|_, _| Reaction::Raw(200, b"\xff\x00<methodResponse>no".to_vec()))),
        ("drips", Arc::new(move |_, _| Reaction::Drip(long(), Duration::from_secs(1)))),
        ("breaks-off", Arc::new(move |_, _| Reaction::BreakOff(long()))),
        ("hangs-up", Arc::new(|_, _| Reaction::HangUp)),
        ("floods", Arc::new(|_, _| Reaction::Flood(100 << 20))),
    ];
    let mut servers: Vec<Server> = Vec::new();
    for (name, behaviour) in behaviours {
        servers.push(serve(&authority, name, behaviour).await);
    }
    for number in 0..8 {
        let well: Behaviour = Arc::new(|_, _| Reaction::Answer(Answer::Value(Value::Nil)));
        servers.push(serve(&authority, &format!("ok{number}"), well).await);
    }
    let mut hosts = vec![stranger("mute", b"").await, stranger("babbles", b"220 smtp.example ESMTP\r\n").await];
    hosts.extend(servers.iter().map(|server| server.host.clone()));
    let request = Request::new(&Call::new("test.ping", Vec::new())).timeout(TIME);
    let fleet = fleet(&authority, FleetOptions::default());
    let calls: Vec<_> = hosts.into_iter().map(|host| (host, request.clone())).collect();
    let began = Instant::now();
    let ended: BTreeMap<_, _> =
        fleet.fan_out(calls, Width::of(64)).map(|(host, outcome)| (host, (outcome, began.elapsed()))).collect().await;
    let all = began.elapsed();
    for (name, expected) in [
        ("mute", "unreachable"),
        ("babbles", "unreachable"),
        ("silent", "timed out"),
        ("garbage", "lost"),
        ("drips", "timed out"),
        ("breaks-off", "lost"),
        ("hangs-up", "lost"),
        ("floods", "lost"),
    ] {
        assert_eq!(ended[name].0.name(), expected, "{name}: {}", ended[name].0);
    }
    let last_well = (0..8).map(|number| &ended[format!("ok{number}").as_str()]).map(|(outcome, after)| {
        assert_eq!(outcome, &Outcome::Ok(Value::Nil));
        *after
    });
    // Well before those that cost their whole time.
    assert!(last_well.max().unwrap() < TIME, "somebody who was well had to wait for others");
    assert!(ended.len() == 16 && all < 2 * TIME + Duration::from_secs(5), "{all:?}");
}
