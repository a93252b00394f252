//! A server for tests: mutual TLS and HTTP, and a reaction to each request.

use std::{
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    ca::{Authority, Host, IssueRequest},
    fleet::{Fleet, FleetOptions},
    tls::{Identity, Role, server_config},
    wire::{Answer, Call, encode_answer, parse_call},
};

/// What a server does with a request.
pub(crate) enum Reaction {
    /// Answers.
    Answer(Answer),
    /// Answers with this status and text.
    Raw(u16, Vec<u8>),
    /// Answers with this status, and of its body this much and no end.
    Begin(u16, Vec<u8>),
    /// Closes the connection.
    HangUp,
    /// Never answers.
    Silence,
    /// Answers a piece at a time, with a pause before each.
    Drip(Answer, Duration),
    /// Answers half of it, and closes the connection.
    BreakOff(Answer),
    /// Answers so many bytes.
    Flood(usize),
    /// Answers once the future is ready.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

pub(crate) type Behaviour = Arc<dyn Fn(Call, &HeaderMap) -> Reaction + Send + Sync>;

/// A running server. Dropping it stops it, connections too.
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) connections: Arc<AtomicUsize>,
    task: AbortOnDropHandle<()>,
}

impl Server {
    /// Stops it, and waits until its port is free.
    pub(crate) async fn stop(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

pub(crate) fn issue(authority: &Authority, name: &str, role: Role) -> Identity {
    authority.issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap().identity().unwrap()
}

pub(crate) fn authority() -> Authority {
    Authority::in_memory("test").unwrap()
}

pub(crate) fn fleet(authority: &Authority, options: FleetOptions) -> Fleet {
    Fleet::new(&issue(authority, "boss", Role::Overlord), options).unwrap()
}

/// Who believes the fleet's minions, and is not believed by them: the CA is theirs, the certificate of another one.
pub(crate) fn unwelcome(authority: &Authority) -> Identity {
    let other = Authority::in_memory("other").unwrap();
    let stranger = other.issue(&IssueRequest::new("boss".parse().unwrap(), Role::Overlord)).unwrap();
    Identity::from_pem(&stranger.cert_pem, &stranger.key_pem, authority.certificate()).unwrap()
}

/// Starts a server on a free port of a loopback address of its own, so that the port is still free when a server that was
/// stopped comes back: one of 127.0.0.1 may meanwhile be the near end of somebody's connection.
pub(crate) async fn serve(authority: &Authority, name: &str, behaviour: Behaviour) -> Server {
    static SERVERS: AtomicU8 = AtomicU8::new(0);
    let process = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, process[2] | 1, process[3], SERVERS.fetch_add(1, Ordering::Relaxed) | 1);
    serve_at(authority, name, (own, 0).into(), behaviour).await
}

/// Starts a server at an address.
pub(crate) async fn serve_at(authority: &Authority, name: &str, at: SocketAddr, behaviour: Behaviour) -> Server {
    serve_as(&issue(authority, name, Role::Minion), at, behaviour).await
}

/// Starts a server that shows this certificate.
pub(crate) async fn serve_as(identity: &Identity, at: SocketAddr, behaviour: Behaviour) -> Server {
    let config = server_config(identity).unwrap();
    let listener = TcpListener::bind(at).await.unwrap();
    let host = Host { name: identity.peer().name.parse().unwrap(), address: listener.local_addr().unwrap().into() };
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let task = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let (acceptor, behaviour) = (TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&behaviour));
            tasks.spawn(async move {
                let Ok(tls) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request| react(request, Arc::clone(&behaviour)));
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await);
            });
        }
    });
    Server { host, connections, task: AbortOnDropHandle::new(task) }
}

/// So many pieces make an answer that drips.
pub(crate) const PIECES: usize = 10;

type Body = BoxBody<Bytes, &'static str>;

async fn react(request: hyper::Request<Incoming>, behaviour: Behaviour) -> Result<Response<Body>, &'static str> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "half a request")?.to_bytes();
    let reply = |status: u16, body: Vec<u8>| {
        let mut response =
            Response::new(Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {}).boxed());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok(response)
    };
    // What is no call is shown as one of its HTTP method.
    let call = match parts.method {
        hyper::Method::POST => parse_call(&body).unwrap(),
        method => Call::new(method.as_str(), Vec::new()),
    };
    match behaviour(call, &parts.headers) {
        Reaction::Answer(answer) => reply(200, encode_answer(&answer).into_bytes()),
        Reaction::Raw(status, body) => reply(status, body),
        Reaction::Begin(status, body) => {
            let pieces = stream::iter([Ok(Frame::data(Bytes::from(body)))]).chain(stream::pending());
            let mut response = Response::new(BodyExt::boxed(StreamBody::new(pieces)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok(response)
        }
        Reaction::HangUp => Err("hanging up"),
        Reaction::Drip(answer, pause) => Ok(Response::new(drip(&answer, pause))),
        Reaction::BreakOff(answer) => {
            let half = encode_answer(&answer).into_bytes()[..20].to_vec();
            let pieces = stream::iter([Ok(Frame::data(Bytes::from(half))), Err("breaking off")]);
            Ok(Response::new(BodyExt::boxed(StreamBody::new(pieces))))
        }
        Reaction::Flood(size) => {
            let piece = Bytes::from(vec![b' '; 64 << 10]);
            let pieces = stream::iter((0..size >> 16).map(move |_| Ok(Frame::data(piece.clone()))));
            Ok(Response::new(BodyExt::boxed(StreamBody::new(pieces))))
        }
        Reaction::Later(answer) => reply(200, encode_answer(&answer.await).into_bytes()),
        Reaction::Silence => std::future::pending().await,
    }
}

fn drip(answer: &Answer, pause: Duration) -> Body {
    let text = encode_answer(answer).into_bytes();
    let pieces: Vec<_> = text.chunks(text.len().div_ceil(PIECES)).map(Bytes::copy_from_slice).collect();
    let dripping = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok(Frame::data(piece))
    });
    BodyExt::boxed(StreamBody::new(Box::pin(dripping)))
}
