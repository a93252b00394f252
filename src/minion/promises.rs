//! What the server promises, tried over real sockets on a simulated fleet.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::sim::{self, SimFleet};
use crate::{
    ca::{Authority, IssueRequest},
    config::{ByteSize, Period},
    ids::MinionJobId,
    tls::{Identity, Role, client_config},
    wire::{Answer, Call, RemoteError, Value, encode_call, header, parse_answer},
};

struct Stand {
    authority: Authority,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

impl Stand {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SimFleet)) -> Self {
        let authority = Authority::in_memory("Func CA").unwrap();
        let mut fleet = SimFleet::new(&authority, &["web1".parse().unwrap(), "web2".parse().unwrap()]).unwrap();
        change(&mut fleet);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let server = tokio::spawn(async move { sim::serve(listener, fleet, shutdown).await.unwrap() });
        Self { authority, address, stop, server }
    }

    fn identity(&self, role: Role) -> Identity {
        self.authority.issue(&IssueRequest::new("boss".parse().unwrap(), role)).unwrap().identity().unwrap()
    }

    async fn tls(&self, identity: &Identity, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(client_config(identity, 0).unwrap());
        let stream = TcpStream::connect(self.address).await?;
        connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }

    async fn connect(&self, role: Role, name: &str) -> Sender {
        let stream = self.tls(&self.identity(role), name).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn boss(&self) -> Sender {
        self.connect(Role::Overlord, "web1").await
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

fn request(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/").header("host", "web1").body(Full::new(body.into())).unwrap()
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> (Response<()>, Answer) {
    sender.ready().await.unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), parse_answer(&body).unwrap())
}

async fn call(sender: &mut Sender, method: &str, params: Vec<Value>) -> Value {
    match send(sender, request(encode_call(&Call::new(method, params)))).await.1 {
        Answer::Value(value) => value,
        Answer::Fault(fault) => panic!("{fault}"),
    }
}

async fn error(sender: &mut Sender, method: &str, params: Vec<Value>) -> (String, String) {
    let error = RemoteError::from_value(&call(sender, method, params).await).unwrap();
    (error.kind, error.message)
}

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let stand = Stand::start().await;
    let mut boss = stand.boss().await;
    assert_eq!(call(&mut boss, "test.ping", vec![]).await, Value::Int(1));
    assert_eq!(call(&mut boss, "base:test/test.add", vec![1.into(), "2".into()]).await, Value::Int(3));
    assert_eq!(call(&mut boss, "system.ping", vec![]).await, Value::Int(1));
    let methods = call(&mut boss, "system.listMethods", vec![]).await;
    let Value::Array(methods) = methods else { panic!("{methods:?}") };
    for name in ["jobs.wait", "system.multicall", "test.add"] {
        assert!(methods.contains(&name.into()), "{name}");
    }
    assert_eq!(
        call(&mut boss, "system.methodSignature", vec!["test.add".into()]).await.to_json().to_string(),
        r#"[["int","int","int"]]"#
    );
    let args = call(&mut boss, "test.get_method_args", vec![]).await.to_json();
    assert_eq!(args["add"]["args"]["b"]["type"], "int");
    assert_eq!(args["add"]["returns"], "s64");
    stand.stop().await;
}

#[tokio::test]
async fn mistakes_are_answered_with_what_was_probably_meant() {
    let stand = Stand::start().await;
    let boss = &mut stand.boss().await;
    let (kind, message) = error(boss, "test.pign", vec![]).await;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("NoSuchMethod", "there is no method `test.pign`; did you mean `ping`?")
    );
    let (kind, message) = error(boss, "tset.ping", vec![]).await;
    assert_eq!((kind.as_str(), message.as_str()), ("NoSuchModule", "there is no module `tset`; did you mean `test`?"));
    let (_, message) = error(boss, "system.listMethod", vec![]).await;
    assert!(message.contains("did you mean `system.listMethods`"), "{message}");
    let (kind, message) = error(boss, "test.add", vec![1.into()]).await;
    assert_eq!((kind.as_str(), message.as_str()), ("InvalidArguments", "test.add: takes 2 arguments, not 1"));
    let (kind, _) = error(boss, "async.system.ping", vec![]).await;
    assert_eq!(kind, "NotCallable");
    let (kind, _) = error(boss, "no name at all", vec![]).await;
    assert_eq!(kind, "NoSuchMethod");
    stand.stop().await;
}

#[tokio::test]
async fn only_overlords_may_call_and_others_are_told_so() {
    let stand = Stand::start().await;
    for role in [Role::Minion, Role::Reader] {
        let mut sender = stand.connect(role, "web1").await;
        let (response, answer) = send(&mut sender, request(vec![b'x'; 100_000])).await;
        let Answer::Fault(fault) = answer else { panic!("{answer:?}") };
        assert!(fault.message.contains("only overlords may call"), "{fault}");
        assert_eq!((response.status(), &response.headers()["connection"]), (StatusCode::OK, &"close".parse().unwrap()));
    }
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
async fn a_job_is_submitted_once_and_waited_for() {
    let stand = Stand::start().await;
    let boss = &mut stand.boss().await;
    let id = MinionJobId::fresh();
    let submit = || {
        let mut request = request(encode_call(&Call::new("async.test.add", vec![1.into(), 2.into()])));
        request.headers_mut().insert(header::JOB_ID, id.as_str().parse().unwrap());
        request
    };
    for _ in 0..2 {
        assert_eq!(send(boss, submit()).await.1, Answer::Value(id.as_str().into()));
    }
    let done = Value::Array(vec![1.into(), 3.into()]);
    assert_eq!(call(boss, "jobs.wait", vec![id.as_str().into(), 30.into()]).await, done);
    assert_eq!(call(boss, "jobs.job_status", vec![id.as_str().into()]).await, done);
    let unknown = Value::Array(vec![2.into(), 0.into()]);
    assert_eq!(call(boss, "jobs.job_status", vec!["1700000000-minion".into()]).await, unknown);
    let other = &mut stand.connect(Role::Overlord, "web2").await;
    assert_eq!(call(other, "jobs.job_status", vec![id.as_str().into()]).await, unknown, "another host");
    let (kind, _) = error(boss, "async.test.add", vec![]).await;
    assert_eq!(kind, "InvalidArguments");
    stand.stop().await;
}

#[tokio::test]
async fn many_calls_travel_in_one_request() {
    let stand = Stand::start().await;
    let one = |method: &str, params: Vec<Value>| {
        Value::structure([("methodName", Value::from(method)), ("params", Value::Array(params))])
    };
    let calls = vec![
        one("test.add", vec![1.into(), 2.into()]),
        one("system.multicall", vec![]),
        one("test.module_description", vec![]),
    ];
    let answers = call(&mut stand.boss().await, "system.multicall", vec![Value::Array(calls)]).await.to_json();
    assert_eq!(answers[0], serde_json::json!([3]));
    assert_eq!(answers[1]["faultCode"], 1);
    assert!(answers[2][0].as_str().unwrap().contains("simulated"));
    stand.stop().await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_or_the_callers() {
    let stand = Stand::start().await;
    let mut sleep = request(encode_call(&Call::new("test.sleep", vec![600.into()])));
    sleep.headers_mut().insert(header::TIMEOUT_MS, "50".parse().unwrap());
    let Answer::Value(value) = send(&mut stand.boss().await, sleep).await.1 else { panic!("a fault") };
    assert_eq!(RemoteError::from_value(&value).unwrap().kind, "TimedOut");
    stand.stop().await;
}

#[tokio::test]
async fn calls_wait_for_a_place_and_no_longer_than_their_time() {
    let stand = Stand::with(|fleet| fleet.calls.at_once = 1).await;
    let mut first = stand.boss().await;
    let sleeping = tokio::spawn(async move { call(&mut first, "test.sleep", vec![600.into()]).await });
    let mut second = stand.boss().await;
    loop {
        let mut ping = request(encode_call(&Call::new("test.ping", vec![])));
        ping.headers_mut().insert(header::TIMEOUT_MS, "20".parse().unwrap());
        let Answer::Value(value) = send(&mut second, ping).await.1 else { panic!("a fault") };
        if RemoteError::from_value(&value).is_some_and(|error| error.kind == "Busy") {
            break;
        }
    }
    assert_eq!(call(&mut second, "system.ping", vec![]).await, Value::Int(1), "built-in methods need no place");
    sleeping.abort();
    stand.server.abort();
}

#[tokio::test]
async fn stopping_lets_the_call_end_and_then_closes() {
    let stand = Stand::start().await;
    let mut idle = stand.boss().await;
    call(&mut idle, "test.ping", vec![]).await;
    let mut busy = stand.boss().await;
    call(&mut busy, "test.ping", vec![]).await;
    let sleeping = tokio::spawn(async move {
        send(&mut busy, request(encode_call(&Call::new("test.sleep", vec![Value::Double(0.5)])))).await
    });
    let stand = Arc::new(stand);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stand = Arc::into_inner(stand).unwrap();
    let address = stand.address;
    stand.stop().await;
    let (head, answer) = sleeping.await.unwrap();
    assert!(matches!(answer, Answer::Value(Value::Double(_))), "{answer:?}");
    assert_eq!(head.headers()["connection"], "close");
    idle.ready().await.unwrap_err();
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn who_waits_for_a_job_is_answered_when_the_minion_stops() {
    let stand = Stand::start().await;
    let mut boss = stand.boss().await;
    let id = call(&mut boss, "async.test.sleep", vec![600.into()]).await;
    let waiting = tokio::spawn(async move { call(&mut boss, "jobs.wait", vec![id, 300.into()]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    stand.stop().await;
    assert_eq!(waiting.await.unwrap(), Value::Array(vec![0.into(), (-1).into()]));
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
async fn a_name_that_is_not_simulated_gets_no_connection() {
    let stand = Stand::start().await;
    stand.tls(&stand.identity(Role::Overlord), "web3").await.unwrap_err();
    stand.stop().await;
}
