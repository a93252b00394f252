//! Connections and requests: how many, how large, how long, and how answers look.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use super::{
    Daemon, PATIENCE, Remote, Socket, answers,
    api::{self, Found},
    caller::{Caller, Deed},
    problem::Problem,
};

/// An answer's body: all of it, or bit by bit.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// The largest body that is read.
const LARGEST: usize = 16 << 20;
/// How long the head of a request, and then its body, may take to arrive on the socket.
const ARRIVAL: Duration = Duration::from_secs(30);
/// The pause after a failed `accept`, which mostly means that descriptors have run out.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then lets requests that are under way end.
pub(super) async fn serve(
    socket: &Socket,
    remote: Option<Remote>,
    daemon: Arc<Daemon>,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let remotes = Arc::new(Mutex::new(JoinSet::new()));
    let remote = async {
        match remote {
            Some(remote) => remote.serve(Arc::clone(&daemon), Arc::clone(&remotes)).await,
            None => std::future::pending().await,
        }
    };
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match socket.accept().await {
                Ok((stream, uid)) => {
                    let daemon = Arc::clone(&daemon);
                    connections.spawn(async move {
                        connection(stream, daemon, Caller::Local { uid }, ARRIVAL).await;
                        drop(place);
                    });
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = remote => {}
        () = shutdown => {}
    }
    daemon.stopping.cancel();
    let mut remotes = remotes.lock().await;
    let ended = async {
        while connections.join_next().await.is_some() {}
        while remotes.join_next().await.is_some() {}
    };
    if tokio::time::timeout(PATIENCE, ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut off what did not end in time");
    }
}

/// Serves a connection until it ends.
pub(super) async fn connection<S>(stream: S, daemon: Arc<Daemon>, caller: Caller, arrival: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stopping = daemon.stopping.clone();
    let service = service_fn(|request| {
        let (daemon, caller) = (Arc::clone(&daemon), caller.clone());
        async move { Ok::<_, Infallible>(respond(request, daemon, &caller, arrival).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(arrival)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn respond(
    request: Request<Incoming>,
    daemon: Arc<Daemon>,
    caller: &Caller,
    arrival: Duration,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let found = api::find(&head.method, head.uri.path());
    let mut acts = false;
    let (name, answer) = match found {
        Found::Endpoint { endpoint, name, id } => {
            acts = endpoint.deed() == Deed::Acts;
            let answer = async {
                caller.allow(endpoint.deed())?;
                let body = read(body, arrival).await?;
                answers::answer(&daemon, caller, endpoint, id, &head, body).await
            };
            (name, answer.await)
        }
        Found::OtherMethods(methods) => {
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path has {methods}"));
            let mut response = refusal(&problem);
            if let Ok(methods) = HeaderValue::try_from(methods) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            ("none", Ok(response))
        }
        Found::Nothing => {
            let detail = format!("there is nothing at `{}`; `/openapi.json` tells what there is", head.uri.path());
            ("none", Err(Problem::new(StatusCode::NOT_FOUND, detail)))
        }
    };
    let response = answer.unwrap_or_else(|problem| {
        tracing::info!(method = %head.method, path = head.uri.path(), why = problem.text(), "a request was refused");
        refusal(&problem)
    });
    // A monitor on this machine looks every few seconds.
    if acts || matches!(caller, Caller::Remote { .. }) {
        let status = response.status().as_u16();
        tracing::info!(caller = caller.who(), method = %head.method, path = head.uri.path(), status, "answered");
    }
    daemon.figures.request(name, response.status().as_u16());
    response
}

async fn read(body: Incoming, arrival: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(arrival, Limited::new(body, LARGEST).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("the body is larger than the {LARGEST} bytes that are read");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(Err(error)) => Err(Problem::bad(format!("the body did not arrive whole: {error}"))),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

/// An answer of this media type.
pub(super) fn whole(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    answer(status, media, Full::new(body.into()).boxed_unsync())
}

/// An answer that may come bit by bit.
pub(super) fn answer(status: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// JSON.
pub(super) fn json(status: StatusCode, data: &serde_json::Value) -> Response<Body> {
    whole(status, "application/json", format!("{data}\n"))
}

fn refusal(problem: &Problem) -> Response<Body> {
    whole(problem.status, "application/problem+json", format!("{}\n", problem.to_json()))
}
