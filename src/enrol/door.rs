//! The listener of an authority, for those who have no certificate.

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{
    limit::{Bucket, Knocks, Limits},
    message::{Answer, Ask, MOST_BYTES, PATH},
};
use crate::{
    ca::{Address, Authority, DEFAULT_PORT, EnrolmentRules, Error, Inventory, Joining, SigningRequest, Verdict},
    tls::door_config,
    wire::{self, Fault, Value, encode_answer, parse_call},
};

/// How long the door's own certificate lasts, and after how long it gets another.
const DAYS: u32 = 30;
const RENEW_AFTER: Duration = Duration::from_hours(20 * 24);

/// The pause after a failed `accept`, which mostly means that descriptors have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// So many refusals are written down in a minute; more would fill the disk at a stranger's pace.
const REFUSALS: u32 = 60;

/// The first byte of a TLS handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// How a door is kept.
#[derive(Debug, Clone, Default)]
pub struct DoorConfig {
    /// Who is let in without a word of the operator's, and how many may wait.
    pub rules: EnrolmentRules,
    /// Bounds on strangers.
    pub limits: Limits,
    /// Whether minions of the original Func are answered, in plain HTTP.
    pub old_minions: bool,
    /// Where those that were let in are entered.
    pub inventory: Option<PathBuf>,
}

/// A door that is ready to be opened.
#[derive(Debug)]
pub struct Door {
    authority: Mutex<Arc<Authority>>,
    config: DoorConfig,
    tls: Mutex<(Instant, Arc<ServerConfig>)>,
    knocks: Mutex<Knocks>,
    refusals: Mutex<Bucket>,
    /// Requests are decided one after the other.
    turn: tokio::sync::Mutex<()>,
}

impl Door {
    /// The door of an authority.
    pub fn new(authority: Authority, config: DoorConfig) -> Result<Self, Error> {
        let now = Instant::now();
        let tls = door_config(&authority.door(DAYS)?).map_err(Error::Door)?;
        Ok(Self {
            knocks: Mutex::new(Knocks::new(config.limits, now)),
            refusals: Mutex::new(Bucket::full(REFUSALS, now)),
            authority: Mutex::new(Arc::new(authority)),
            config,
            tls: Mutex::new((now, tls)),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// Serves until `shutdown`. Nothing that a stranger does ends it.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let accept = async {
            loop {
                let (stream, from) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                while connections.try_join_next().is_some() {}
                // What is not let in is closed without a word: an answer would cost more than the question.
                if connections.len() < self.config.limits.in_all && lock(&self.knocks).enter(from.ip(), Instant::now())
                {
                    let door = Arc::clone(&self);
                    connections.spawn(async move { door.receive(stream, from).await });
                }
            }
        };
        tokio::select! {
            never = accept => never,
            () = shutdown => {}
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(self.config.limits.patience, ended).await;
    }

    async fn receive(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let _leaving = Leaving(&self, from.ip());
        let served = async {
            let _ = stream.set_nodelay(true);
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                return Ok(());
            }
            if first == [HANDSHAKE] {
                let stream = TlsAcceptor::from(self.tls()).accept(stream).await?;
                self.converse(stream, from.ip(), false).await;
            } else if self.config.old_minions {
                self.converse(stream, from.ip(), true).await;
            } else {
                tracing::info!(%from, "a connection without TLS was refused");
            }
            Ok::<_, std::io::Error>(())
        };
        match tokio::time::timeout(self.config.limits.patience, served).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%from, %error, "a connection broke off"),
            Err(_) => tracing::debug!(%from, "a connection took too long"),
        }
    }

    /// One request, one answer.
    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin, from: IpAddr, old: bool) {
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(if old { self.old(request, from).await } else { self.answer(request, from).await })
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.limits.patience)
            .max_buf_size(MOST_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = served.await {
            tracing::debug!(%from, %error, "a connection broke off");
        }
    }

    async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Response<Full<Bytes>> {
        if request.method() != Method::POST || request.uri().path() != PATH {
            return json(StatusCode::NOT_FOUND, &refused("there is nothing here but POST /enrol"));
        }
        let ask = match body(request).await {
            None => Err("the request did not arrive, or is too long"),
            Some(bytes) => Ask::from_bytes(&bytes),
        };
        let ask = match ask {
            Ok(ask) => ask,
            Err(why) => return json(StatusCode::BAD_REQUEST, &refused(why)),
        };
        let signing = match SigningRequest::from_pem(ask.request.as_bytes()) {
            Ok(signing) => signing,
            Err(error) => return json(StatusCode::BAD_REQUEST, &refused(&error.to_string())),
        };
        let Ok(secret) = ask.secret.as_deref().map(str::parse).transpose() else {
            return json(StatusCode::BAD_REQUEST, &refused("the token is malformed"));
        };
        let at = SocketAddr::new(from.to_canonical(), ask.port.filter(|port| *port != 0).unwrap_or(DEFAULT_PORT));
        let address = ask.address.unwrap_or_else(|| at.into());
        let joining = Joining { request: signing, secret, address: Some(address), from };
        if let Some(verdict) = self.decide(joining).await {
            json(StatusCode::OK, &Answer::from(&verdict))
        } else {
            let why = "the authority cannot decide now; its log says why".to_owned();
            json(StatusCode::SERVICE_UNAVAILABLE, &Answer::Busy { why })
        }
    }

    /// `wait_for_cert` of the original Func.
    async fn old(&self, request: Request<Incoming>, from: IpAddr) -> Response<Full<Bytes>> {
        // Which looks whether the authority is the same still.
        drop(self.tls());
        let Some(bytes) = body(request).await else {
            return xml(&wire::Answer::Fault(Fault::refused("the request did not arrive, or is too long")));
        };
        let answer = match self.wait_for_cert(&bytes, from).await {
            Ok([signed, certificate, authority]) => {
                wire::Answer::Value(Value::Array(vec![signed, certificate, authority]))
            }
            Err(why) => wire::Answer::Fault(Fault::refused(why)),
        };
        xml(&answer)
    }

    async fn wait_for_cert(&self, body: &[u8], from: IpAddr) -> Result<[Value; 3], String> {
        let call = parse_call(body).map_err(|_| "malformed request".to_owned())?;
        let [Value::String(pem)] = &call.params[..] else { return Err("wait_for_cert(csr)".to_owned()) };
        if call.method != "wait_for_cert" {
            return Err("there is nothing here but wait_for_cert".to_owned());
        }
        let request = SigningRequest::from_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
        let address: Address = SocketAddr::new(from.to_canonical(), DEFAULT_PORT).into();
        let joining = Joining { request, secret: None, address: Some(address), from };
        match self.decide(joining).await {
            Some(Verdict::Signed { certificate, .. }) => {
                Ok([true.into(), certificate.into(), self.authority().certificate().into()])
            }
            Some(Verdict::Refused { why }) => Err(why),
            Some(Verdict::Pending { .. }) | None => Ok([false.into(), "".into(), "".into()]),
        }
    }

    /// What the authority says; nothing if it cannot work.
    async fn decide(&self, joining: Joining) -> Option<Verdict> {
        let _turn = self.turn.lock().await;
        let (name, from) = (joining.request.name().clone(), joining.from);
        let (authority, mut rules) = (self.authority(), self.config.rules.clone());
        rules.note_refusals = lock(&self.refusals).has_some(REFUSALS, Instant::now());
        let inventory = self.config.inventory.clone();
        let decided = tokio::task::spawn_blocking(move || {
            let verdict = authority.enrol(&joining, &rules)?;
            if let (Verdict::Signed { fresh: true, .. }, Some(inventory), Some(address)) =
                (&verdict, inventory, joining.address)
            {
                Inventory::update(&inventory, |inventory| {
                    inventory.add(joining.request.name().clone(), address);
                    Ok(())
                })?;
            }
            Ok::<_, Error>(verdict)
        });
        match decided.await {
            Ok(Ok(verdict)) => {
                match &verdict {
                    Verdict::Signed { fresh: true, .. } => tracing::info!(%name, %from, "signed"),
                    Verdict::Pending { fresh: true } => {
                        tracing::info!(%name, %from, "asks to belong; see `func ca list --pending`");
                    }
                    Verdict::Refused { why } => {
                        if lock(&self.refusals).take(REFUSALS, Instant::now()) {
                            tracing::warn!(%name, %from, why, "refused");
                        }
                    }
                    Verdict::Signed { .. } | Verdict::Pending { .. } => {}
                }
                Some(verdict)
            }
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, %name, "cannot decide about a request");
                None
            }
            Err(error) => {
                tracing::error!(%error, "deciding about a request broke off");
                None
            }
        }
    }

    fn authority(&self) -> Arc<Authority> {
        Arc::clone(&lock(&self.authority))
    }

    /// What strangers are shown, renewed in good time, and when another authority has taken the place of the present one.
    fn tls(&self) -> Arc<ServerConfig> {
        let mut tls = lock(&self.tls);
        let authority = self.authority();
        let (authority, replaced) = match authority.successor() {
            Ok(None) => (authority, false),
            Ok(Some(next)) => (Arc::new(next), true),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot look whether the authority is the same"
                );
                (authority, false)
            }
        };
        if replaced || tls.0.elapsed() > RENEW_AFTER {
            match authority
                .door(DAYS)
                .map_err(|error| error.to_string())
                .and_then(|door| door_config(&door).map_err(|error| error.to_string()))
            {
                Ok(fresh) => {
                    *tls = (Instant::now(), fresh);
                    *lock(&self.authority) = authority;
                }
                Err(error) => tracing::error!(error, "cannot renew the certificate of the door"),
            }
        }
        Arc::clone(&tls.1)
    }
}

/// Whoever has entered leaves, however the connection ends.
struct Leaving<'a>(&'a Door, IpAddr);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        lock(&self.0.knocks).leave(self.1);
    }
}

/// Each is held for a moment, and never across an await.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn body(request: Request<Incoming>) -> Option<Bytes> {
    Some(Limited::new(request.into_body(), MOST_BYTES).collect().await.ok()?.to_bytes())
}

fn refused(why: &str) -> Answer {
    Answer::Refused { why: why.to_owned() }
}

fn json(status: StatusCode, answer: &Answer) -> Response<Full<Bytes>> {
    respond(status, "application/json", serde_json::to_vec(answer).unwrap_or_default())
}

fn xml(answer: &wire::Answer) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "text/xml; charset=utf-8", encode_answer(answer))
}

fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
