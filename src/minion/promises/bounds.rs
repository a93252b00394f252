//! Nothing is read, waited for or held without a bound.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::tls::{ENDLESS_HANDSHAKE, drip};

#[tokio::test]
async fn a_call_ends_at_its_deadline_or_the_callers() {
    let stand = Stand::start().await;
    let mut sleep = request(encode_call(&Call::new("test.sleep", vec![600.into()])));
    sleep.headers_mut().insert(header::TIMEOUT_MS, "50".parse().unwrap());
    let Answer::Value(value) = send(&mut stand.boss().await, sleep).await.1 else { panic!("a fault") };
    assert_eq!(RemoteError::from_value(&value).unwrap().kind, "TimedOut");
    stand.stop().await;
}

/// Begins a call that takes the one place there is, for longer than the test.
async fn take_the_only_place(stand: &Stand) -> tokio::task::JoinHandle<Value> {
    let mut first = stand.boss().await;
    let sleeping = tokio::spawn(async move { call(&mut first, "test.sleep", vec![600.into()]).await });
    let mut second = stand.boss().await;
    loop {
        let mut ping = request(encode_call(&Call::new("test.ping", vec![])));
        ping.headers_mut().insert(header::TIMEOUT_MS, "20".parse().unwrap());
        let Answer::Value(value) = send(&mut second, ping).await.1 else { panic!("a fault") };
        if RemoteError::from_value(&value).is_some_and(|error| error.kind == "Busy") {
            return sleeping;
        }
    }
}

#[tokio::test]
async fn calls_wait_for_a_place_and_no_longer_than_their_time() {
    let stand = Stand::with(|fleet| fleet.calls.at_once = 1).await;
    let sleeping = take_the_only_place(&stand).await;
    assert_eq!(
        call(&mut stand.boss().await, "system.ping", vec![]).await,
        Value::Int(1),
        "built-in methods need no place"
    );
    sleeping.abort();
    stand.server.abort();
}

#[tokio::test]
async fn silent_and_slow_connections_are_ended() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let short = Period::seconds(1);
    let stand = Stand::with(|fleet| {
        fleet.connections.idle_timeout = short;
        fleet.connections.header_timeout = short;
        fleet.connections.body_timeout = short;
        fleet.connections.handshake_timeout = short;
    })
    .await;
    let boss = stand.identity(Role::Overlord);
    let mut rest = Vec::new();
    // A clean end of the stream is only reported after close_notify.
    let mut idle = stand.tls(&boss, "web1").await.unwrap();
    assert_eq!(idle.read_to_end(&mut rest).await.unwrap(), 0);
    let mut slow = stand.tls(&boss, "web1").await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nhost: web1\r\n").await.unwrap();
    let _ = slow.read_to_end(&mut rest).await;
    let mut half = stand.tls(&boss, "web1").await.unwrap();
    half.write_all(b"POST / HTTP/1.1\r\nhost: web1\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    let _ = half.read_to_end(&mut rest).await;
    assert!(rest.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&rest));
    let mut mute = TcpStream::connect(stand.address).await.unwrap();
    assert_eq!(mute.read_to_end(&mut rest).await.unwrap(), 0);
    stand.stop().await;
}

#[tokio::test]
async fn what_is_not_a_call_is_refused_and_the_server_serves_on() {
    let stand = Stand::with(|fleet| fleet.calls.largest_request = ByteSize::from(1 << 20)).await;
    let (head, answer) = send(&mut stand.boss().await, request("not XML")).await;
    assert!(matches!(answer, Answer::Fault(fault) if fault.message.contains("malformed request: not XML-RPC")));
    assert_eq!(head.status(), StatusCode::OK);
    let (head, answer) = send(&mut stand.boss().await, request(vec![b' '; 100_000_000])).await;
    assert!(matches!(answer, Answer::Fault(fault) if fault.message.contains("larger than")));
    assert_eq!(
        (head.status(), &head.headers()["connection"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &"close".parse().unwrap())
    );
    let get = Request::get("/").header("host", "web1").body(Full::default()).unwrap();
    assert_eq!(send(&mut stand.boss().await, get).await.0.status(), StatusCode::METHOD_NOT_ALLOWED);
    let mut odd = request(encode_call(&Call::new("async.test.ping", vec![])));
    odd.headers_mut().insert(header::JOB_ID, "7".parse().unwrap());
    assert!(
        matches!(send(&mut stand.boss().await, odd).await.1, Answer::Fault(fault) if fault.message.contains("func-job-id"))
    );
    assert_eq!(call(&mut stand.boss().await, "test.ping", vec![]).await, Value::Int(1));
    stand.stop().await;
}

#[tokio::test]
async fn many_calls_in_one_request_share_the_time_of_one() {
    let stand = Stand::start().await;
    let one = |method: &str, param: i64| {
        Value::structure([("methodName", Value::from(method)), ("params", Value::Array(vec![param.into()]))])
    };
    let calls = vec![one("test.sleep", 600), one("test.sleep", 600), one("async.test.sleep", 600)];
    let mut request = request(encode_call(&Call::new("system.multicall", vec![Value::Array(calls)])));
    request.headers_mut().insert(header::TIMEOUT_MS, "100".parse().unwrap());
    let Answer::Value(answers) = send(&mut stand.boss().await, request).await.1 else { panic!("a fault") };
    let answers = answers.to_json();
    assert_eq!((&answers[0][0][1], &answers[1][0][1]), (&"TimedOut".into(), &"TimedOut".into()), "{answers}");
    stand.stop().await;
}

#[tokio::test]
async fn who_says_nothing_takes_no_place_from_who_may_call() {
    let stand = Stand::with(|fleet| {
        fleet.connections.at_once = 2;
        fleet.connections.handshake_timeout = Period::seconds(3600);
    })
    .await;
    let mut mute = Vec::new();
    for _ in 0..10 {
        mute.push(TcpStream::connect(stand.address).await.unwrap());
    }
    assert_eq!(call(&mut stand.boss().await, "test.ping", vec![]).await, Value::Int(1));
    // The first ones were put out.
    assert_eq!(tokio::io::AsyncReadExt::read(&mut mute[0], &mut [0]).await.unwrap(), 0);
    stand.stop().await;
}

#[tokio::test]
async fn requests_that_wait_their_turn_do_not_fill_the_memory() {
    let stand = Stand::with(|fleet| {
        fleet.calls.at_once = 1;
        fleet.calls.largest_request = ByteSize::mebibytes(1);
        fleet.connections.body_timeout = Period::seconds(1);
    })
    .await;
    let _sleeping = take_the_only_place(&stand).await;
    let echo = |text: String| request(encode_call(&Call::new("test.echo", vec![text.into()])));
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut boss = stand.boss().await;
        let large = echo("x".repeat(1_000_000));
        waiting.spawn(async move { send(&mut boss, large).await });
    }
    let (head, answer) = waiting.join_next().await.unwrap().unwrap();
    assert_eq!(head.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(matches!(answer, Answer::Fault(fault) if fault.message.contains("as many requests")));
    assert_eq!(call(&mut stand.boss().await, "system.ping", vec![]).await, Value::Int(1), "small ones pass");
    stand.server.abort();
}

#[tokio::test]
async fn one_caller_takes_so_many_connections_and_leaves_the_others_theirs() {
    use tokio::io::AsyncReadExt as _;
    let stand = Stand::with(|fleet| (fleet.connections.at_once, fleet.connections.per_caller) = (8, 2)).await;
    let ops = stand.authority.issue(&IssueRequest::new("ops".parse().unwrap(), Role::Overlord)).unwrap();
    let mut held = [stand.boss().await, stand.boss().await];
    for sender in &mut held {
        assert_eq!(call(sender, "test.ping", vec![]).await, Value::Int(1));
    }
    let mut third = stand.tls(&stand.identity(Role::Overlord), "web1").await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or(0), 0, "closed");
    assert!(stand.tls(&ops.identity().unwrap(), "web1").await.is_ok());
    drop(held);
    loop {
        // The server notices the end of the two in its own time.
        let stream = stand.tls(&stand.identity(Role::Overlord), "web1").await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        if sender.ready().await.is_ok()
            && sender.send_request(request(encode_call(&Call::new("test.ping", vec![])))).await.is_ok()
        {
            break;
        }
    }
    stand.stop().await;
}

#[tokio::test]
async fn a_head_and_a_handshake_that_come_byte_by_byte_are_cut_all_the_same() {
    let short = Period::seconds(1);
    let stand = Stand::with(|fleet| {
        fleet.connections.header_timeout = short;
        fleet.connections.handshake_timeout = short;
    })
    .await;
    let began = std::time::Instant::now();
    let mut head = stand.tls(&stand.identity(Role::Overlord), "web1").await.unwrap();
    let mut handshake = TcpStream::connect(stand.address).await.unwrap();
    tokio::join!(drip(&mut head, b"POST / HTTP/1.1\r\nhost: web1\r\nx: x"), drip(&mut handshake, ENDLESS_HANDSHAKE));
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(15), "{took:?}");
    stand.stop().await;
}

#[tokio::test]
async fn a_flood_of_strangers_leaves_the_overlord_its_service() {
    let stand = Stand::with(|fleet| fleet.connections.at_once = 32).await;
    let (flooding, opened) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..4 {
        let (address, over, opened) = (stand.address, flooding.clone(), Arc::clone(&opened));
        tokio::spawn(async move {
            let mut mute = VecDeque::new();
            while !over.is_cancelled() {
                // Some say nothing, some talk nonsense; each is held for as long as it is let.
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    let number = opened.fetch_add(1, Ordering::Relaxed);
                    if number.is_multiple_of(2) {
                        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\n").await;
                    }
                    mute.push_back(stream);
                }
                if mute.len() > 50 {
                    mute.pop_front();
                }
            }
        });
    }
    while opened.load(Ordering::Relaxed) < 500 {
        tokio::task::yield_now().await;
    }
    let before = opened.load(Ordering::Relaxed);
    // From another address, as an overlord is; each call over a connection of its own.
    for _ in 0..20 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let answered = async {
            let stream = socket.connect(stand.address).await.unwrap();
            let connector = TlsConnector::from(client_config(&stand.identity(Role::Overlord), 0).unwrap());
            let stream = connector.connect(ServerName::try_from("web1").unwrap(), stream).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            call(&mut sender, "test.ping", vec![]).await
        };
        let deadline = std::time::Duration::from_secs(10);
        assert_eq!(tokio::time::timeout(deadline, answered).await.expect("within its deadline"), Value::Int(1));
    }
    assert!(opened.load(Ordering::Relaxed) > before, "the flood went on meanwhile");
    flooding.cancel();
    stand.server.abort();
}
