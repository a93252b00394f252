//! Each way a call can end has its own name.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::server::{Behaviour, Reaction, Server, authority, fleet, issue, serve, serve_as, serve_at, unwelcome};
use crate::{
    ca::{Authority, Host, IssueRequest},
    fleet::{Fleet, FleetOptions, Outcome, Pace, Request, connection::Connection, credentials::InForce},
    tls::Role,
    wire::{Answer, Call, Fault, RemoteError, Value, header},
};

fn echo() -> Behaviour {
    Arc::new(|call, _| Reaction::Answer(Answer::Value(Value::Array(call.params))))
}

fn always(reaction: fn() -> Reaction) -> Behaviour {
    Arc::new(move |_, _| reaction())
}

fn ping() -> Request {
    Request::new(&Call::new("test.ping", vec![7.into()]))
}

fn seven() -> Outcome {
    Outcome::Ok(Value::Array(vec![7.into()]))
}

async fn outcome_of(behaviour: Behaviour, request: &Request) -> Outcome {
    let authority = authority();
    let server = serve(&authority, "web1", behaviour).await;
    let options = FleetOptions { max_answer: 10_000, ..FleetOptions::default() };
    fleet(&authority, options).call(&server.host, request).await
}

/// A fleet, a server that echoes, and a connection between them that was used once and kept.
async fn warm() -> (Authority, Fleet, Server) {
    let authority = authority();
    let server = serve(&authority, "web1", echo()).await;
    let fleet = fleet(&authority, FleetOptions::default());
    assert_eq!(fleet.call(&server.host, &ping()).await, seven());
    (authority, fleet, server)
}

#[tokio::test]
async fn answers_faults_and_errors_are_told_apart() {
    assert_eq!(outcome_of(echo(), &ping()).await, seven());
    let failed = || Reaction::Answer(Answer::Value(RemoteError::new("Trap", "unreachable").into()));
    assert_eq!(outcome_of(always(failed), &ping()).await, Outcome::Failed(RemoteError::new("Trap", "unreachable")));
    let fault = || Reaction::Answer(Answer::Fault(Fault::refused("not you")));
    assert_eq!(outcome_of(always(fault), &ping()).await, Outcome::Refused { why: "not you".into() });
    let busy = outcome_of(always(|| Reaction::Raw(503, b"later".into())), &ping()).await;
    assert_eq!(busy.to_string(), "refused: it answered HTTP 503 Service Unavailable");
}

#[tokio::test]
async fn what_breaks_after_the_request_was_sent_is_lost() {
    for (reaction, why) in [
        ((|| Reaction::HangUp) as fn() -> Reaction, "whether it ran is not known"),
        (|| Reaction::Raw(200, b"<html>".into()), "makes no sense"),
        (|| Reaction::Raw(200, vec![b' '; 20_000]), "longer than 10000 bytes"),
    ] {
        let outcome = outcome_of(always(reaction), &ping()).await;
        assert!(matches!(&outcome, Outcome::Lost { why: told } if told.contains(why)), "{outcome}");
    }
}

#[tokio::test]
async fn a_silent_host_costs_its_own_deadline_and_is_told_it() {
    let authority = authority();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hear = Arc::clone(&told);
    let falls_silent: Behaviour = Arc::new(move |_, headers| {
        let mut told = hear.lock().unwrap();
        told.push(headers[header::TIMEOUT_MS].to_str().unwrap().to_owned());
        if told.len() == 1 { Reaction::Answer(Answer::Value(Value::Nil)) } else { Reaction::Silence }
    });
    let server = serve(&authority, "web1", falls_silent).await;
    let fleet = fleet(&authority, FleetOptions::default());
    assert_eq!(fleet.call(&server.host, &ping()).await, Outcome::Ok(Value::Nil));
    // The connection is there already, so the deadline is spent on waiting for the answer alone.
    let short = ping().timeout(Duration::from_millis(700));
    assert_eq!(fleet.call(&server.host, &short).await, Outcome::TimedOut { after: Duration::from_millis(700) });
    assert_eq!(*told.lock().unwrap(), ["60000", "700"]);
}

#[tokio::test]
async fn a_long_answer_over_a_thin_line_arrives_if_it_may_take_its_time() {
    let big = || Answer::Value(Value::from("x".repeat(5000)));
    let drips = |pause: u64| -> Behaviour { Arc::new(move |_, _| Reaction::Drip(big(), Duration::from_millis(pause))) };
    let short = || ping().timeout(Duration::from_millis(500));
    let at = |piece, total| Pace { piece: Duration::from_millis(piece), total: Duration::from_millis(total) };
    // Ten pieces take a second.
    let whole = outcome_of(drips(100), &short()).await;
    assert_eq!(whole, Outcome::TimedOut { after: Duration::from_millis(500) }, "a call's deadline is for all of it");
    let arrived = outcome_of(drips(100), &short().pace(at(10_000, 60_000))).await;
    assert_eq!(arrived, Outcome::Ok(Value::from("x".repeat(5000))));
    for (pause, pace) in [(5000, at(300, 60_000)), (100, at(10_000, 300))] {
        let outcome = outcome_of(drips(pause), &short().pace(pace)).await;
        assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome}");
    }
}

#[tokio::test]
async fn where_nobody_listens_or_nobody_shakes_hands_nothing_was_sent() {
    let authority = authority();
    let options = FleetOptions { connect_timeout: Duration::from_millis(200), ..FleetOptions::default() };
    let fleet = fleet(&authority, options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { name: "web1".parse().unwrap(), address: listener.local_addr().unwrap().into() };
    let slow = fleet.call(&host, &ping()).await;
    assert!(matches!(&slow, Outcome::Unreachable { why } if why.contains("within 0.2 s")), "{slow}");
    drop(listener);
    let closed = fleet.call(&host, &ping()).await;
    assert!(matches!(&closed, Outcome::Unreachable { why } if why.contains("cannot connect")), "{closed}");
}

#[tokio::test]
async fn a_host_that_is_somebody_else_gets_no_request() {
    let (authority, fleet, server) = warm().await;
    let wrong_name = Host { name: "db1".parse().unwrap(), ..server.host.clone() };
    let outcome = fleet.call(&wrong_name, &ping()).await;
    let at = &server.host.address;
    let told = format!("unreachable: whoever is at {at} does not prove to be `db1`: its certificate is for `web1`");
    assert!(outcome.to_string().starts_with(&told), "{outcome}");
    for name in ["other", "test"] {
        let impostor = serve(&Authority::in_memory(name).unwrap(), "web2", echo()).await;
        let outcome = fleet.call(&impostor.host, &ping()).await;
        assert!(matches!(&outcome, Outcome::Unreachable { why } if why.contains("another authority")), "{outcome}");
    }
    drop(authority);
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_first_request_is_told() {
    let (authority, _, server) = warm().await;
    let by = InForce::new(&unwelcome(&authority), 1).unwrap().now();
    let mut connection: Connection = Connection::open(&server.host, &by, Duration::from_mins(1)).await.unwrap();
    let error = timeout(Duration::from_mins(1), async {
        loop {
            if let Err(error) = connection.sender.ready().await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    });
    let error = error.await.unwrap();
    let (why, refused) = connection.broken(&server.host, &error).await;
    assert!(refused, "{why}");
}

#[tokio::test]
async fn a_minion_that_does_not_accept_us_is_never_taken_for_one_that_ran_the_call() {
    let (authority, _, server) = warm().await;
    let fleet = Fleet::new(&unwelcome(&authority), FleetOptions::default()).unwrap();
    let outcome = fleet.call(&server.host, &ping()).await;
    assert!(matches!(&outcome, Outcome::Refused { why } if why.contains("our certificate")), "{outcome}");
}

/// A way to a server that garbles what the client sends from when it is told to.
async fn garbling_way_to(server: &Server, garble: Arc<AtomicBool>) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { name: server.host.name.clone(), address: listener.local_addr().unwrap().into() };
    let to = server.host.address.to_string();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(to).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut bytes = vec![0; 65536];
        loop {
            let count = from_client.read(&mut bytes).await.unwrap();
            if garble.load(Ordering::SeqCst) && count > 0 {
                bytes[count - 1] ^= 1;
            }
            to_server.write_all(&bytes[..count]).await.unwrap();
        }
    });
    host
}

#[tokio::test]
async fn an_alert_on_a_kept_connection_does_not_say_that_nothing_ran() {
    let authority = authority();
    let server = serve(&authority, "web1", echo()).await;
    let fleet = fleet(&authority, FleetOptions::default());
    let garble = Arc::new(AtomicBool::new(false));
    let way = garbling_way_to(&server, Arc::clone(&garble)).await;
    assert_eq!(fleet.call(&way, &ping()).await, seven());
    garble.store(true, Ordering::SeqCst);
    let outcome = fleet.call(&way, &ping()).await;
    assert!(
        matches!(&outcome, Outcome::Lost { why } if why.cause().is_some_and(|cause| cause.contains("BadRecordMac"))),
        "{outcome}"
    );
}

#[tokio::test]
async fn connections_are_kept_and_one_that_was_closed_meanwhile_is_opened_again() {
    let (authority, fleet, server) = warm().await;
    assert_eq!(fleet.call(&server.host, &ping()).await, seven());
    assert_eq!((server.connections.load(Ordering::SeqCst), fleet.connections_opened()), (1, 1));
    let std::net::SocketAddr::V4(at) = server.host.address.to_string().parse().unwrap() else { unreachable!() };
    server.stop().await;
    let again = serve_at(&authority, "web1", at.into(), echo()).await;
    assert_eq!(fleet.call(&again.host, &ping()).await, seven());
    assert_eq!(fleet.connections_opened(), 2);
}

#[tokio::test]
async fn an_idle_connection_is_not_used_for_ever() {
    let authority = authority();
    let server = serve(&authority, "web1", echo()).await;
    let fleet = fleet(&authority, FleetOptions { idle: Duration::ZERO, ..FleetOptions::default() });
    for _ in 0..3 {
        assert_eq!(fleet.call(&server.host, &ping()).await, seven());
    }
    assert_eq!(fleet.connections_opened(), 3);
}

#[tokio::test]
async fn no_more_unused_connections_are_kept_than_there_is_room_for() {
    let authority = authority();
    let servers = [serve(&authority, "web1", echo()).await, serve(&authority, "web2", echo()).await];
    let fleet = fleet(&authority, FleetOptions { keep: 1, ..FleetOptions::default() });
    for _ in 0..2 {
        for server in &servers {
            assert_eq!(fleet.call(&server.host, &ping()).await, seven());
        }
    }
    assert_eq!(servers.map(|server| server.connections.load(Ordering::SeqCst)), [1, 2]);
}

#[tokio::test]
async fn hosts_that_are_not_called_again_take_nobodys_room() {
    let authority = authority();
    let servers = [serve(&authority, "web1", echo()).await, serve(&authority, "web2", echo()).await];
    let idle = Duration::from_millis(200);
    let fleet = fleet(&authority, FleetOptions { keep: 1, idle, ..FleetOptions::default() });
    assert_eq!(fleet.call(&servers[0].host, &ping()).await, seven());
    let began = tokio::time::Instant::now();
    // Until the first host's connection has had its time there is no room for the second's.
    let mut opened = 2;
    loop {
        assert_eq!(fleet.call(&servers[1].host, &ping()).await, seven());
        if fleet.connections_opened() < opened {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "its room was never given to another");
        opened += 1;
    }
    assert!(opened > 2 && began.elapsed() >= idle * 3 / 4, "{opened} after {:?}", began.elapsed());
}

/// Somebody who is no minion.
async fn stranger(says: &'static [u8]) -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host { name: "web1".parse().unwrap(), address: listener.local_addr().unwrap().into() };
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(says).await.unwrap();
        let mut bytes = [0; 1024];
        // Only when the greeting was read is an end of the connection an end, and no reset.
        let _ = client.read(&mut bytes).await;
    });
    host
}

#[tokio::test]
async fn what_failed_is_told_in_a_sentence_with_the_address_and_the_cause_is_kept() {
    let authority = authority();
    let fleet = fleet(&authority, FleetOptions::default());
    let expired = time::OffsetDateTime::now_utc() - time::Duration::days(9);
    let request =
        IssueRequest { days: 7, not_before: Some(expired), ..IssueRequest::new("web1".parse().unwrap(), Role::Minion) };
    let expired = authority.issue(&request).unwrap().identity().unwrap();
    let nobody = Host { name: "web1".parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() };
    let at = || "127.0.0.1:0".parse().unwrap();
    let expired = serve_as(&expired, at(), echo()).await;
    let overlord = serve_as(&issue(&authority, "web1", Role::Overlord), at(), echo()).await;
    for (host, told) in [
        (stranger(b"SSH-2.0-OpenSSH_9.9\r\n").await, "does not speak TLS"),
        (stranger(b"").await, "closed the connection in the TLS handshake"),
        (nobody, "nobody listens there"),
        (expired.host.clone(), "has expired"),
        (overlord.host.clone(), "not issued for a minion"),
    ] {
        let outcome = fleet.call(&host, &ping()).await;
        let Outcome::Unreachable { why } = &outcome else { panic!("{outcome}") };
        assert!(why.contains(told) && why.contains(&host.address.to_string()), "{why}");
        assert!(!why.contains("https:") && outcome.to_json()["cause"].is_string(), "{why:?}");
    }
    let hung_up = outcome_of(always(|| Reaction::HangUp), &ping()).await;
    assert!(hung_up.to_string().ends_with("closed the connection"), "{hung_up}");
}
