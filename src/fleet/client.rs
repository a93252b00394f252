//! Calling one host, and naming what became of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::HeaderValue,
};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::{
    Outcome, Pace, Reason, Request,
    connection::{ConnectError, Connection},
    credentials::InForce,
    ends::Ends,
    explain::broken_exchange,
    outcome::seconds,
    pool::Pool,
    relay::{Relay, no_way_for_bytes},
};
use crate::{
    ca::Host,
    ids::HostName,
    tls::{self, Identity},
    wire::{self, Call, parse_answer},
};

/// How long a host may take to be brought what it lacks, after a call that showed that it does.
const BRINGING: Duration = Duration::from_secs(5);

/// How the fleet is called.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// A call's deadline, unless its request has one.
    pub timeout: Duration,
    /// How long a host has to accept a connection and shake hands.
    pub connect_timeout: Duration,
    /// The longest answer that is read.
    pub max_answer: usize,
    /// How long an unused connection is kept at most: less than the minions keep theirs.
    pub idle: Duration,
    /// How many unused connections are kept in all: each is an open file.
    pub keep: usize,
    /// How many hosts' TLS sessions are remembered: at least the size of the fleet.
    pub sessions: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            max_answer: wire::MAX_BYTES,
            idle: Duration::from_mins(2),
            keep: 500,
            sessions: 4096,
        }
    }
}

/// The overlord's side of every connection. Clones share connections and sessions.
#[derive(Debug, Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    in_force: InForce,
    options: FleetOptions,
    pool: Pool,
    opened: AtomicU64,
    ends: Ends,
}

impl Fleet {
    /// A fleet called as `identity`.
    pub fn new(identity: &Identity, options: FleetOptions) -> Result<Self, tls::Error> {
        let in_force = InForce::new(identity, options.sessions)?;
        let pool = Pool::new(options.keep, options.idle);
        let inner = Inner { in_force, options, pool, opened: AtomicU64::new(0), ends: Ends::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Goes on as another identity, with its authorities and revocation lists: from the next connection on, and of what is
    /// open whoever is revoked is cut off.
    pub fn call_as(&self, identity: &Identity) -> Result<(), tls::Error> {
        let other = self.inner.in_force.replace(identity, self.inner.options.sessions)?;
        // What was opened with the certificate of before would end with it.
        self.inner.pool.retain(|connection| !other && self.check(connection).is_ok());
        Ok(())
    }

    /// A handle that keeps nothing open.
    pub fn downgrade(&self) -> WeakFleet {
        WeakFleet(Arc::downgrade(&self.inner))
    }

    /// How many connections were tried so far.
    pub fn connections_opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// When the certificate of each host ends that was connected to since the start.
    pub fn certificates_end(&self) -> BTreeMap<HostName, Timestamp> {
        self.inner.ends.all()
    }

    /// Calls one host. It answers by the deadline, whatever the host does; if the request has a [`Pace`], its answer begins
    /// by the deadline and goes on at that pace.
    ///
    /// A host that is reached through others is called by asking the first of them to pass the call on.
    pub async fn call(&self, host: &Host, request: &Request) -> Outcome {
        match Relay::to(host, request) {
            None => self.call_directly(host, request, &host.name).await,
            Some(Ok(relay)) => {
                relay.outcome(Box::pin(self.call_directly(&relay.hop, &relay.request, &host.name)).await)
            }
            Some(Err(outcome)) => outcome,
        }
    }

    /// Calls whoever listens there. What is heard beside the answer is of `who`.
    async fn call_directly(&self, host: &Host, request: &Request, who: &HostName) -> Outcome {
        let after = request.own_timeout().unwrap_or(self.inner.options.timeout);
        // The minion keeps the same deadline, and its own word on it may need a moment to get here: from each who passes it on.
        let patience = after + (after / 10).min(Duration::from_secs(1)) * (1 + request.hops());
        let (began, sent) = (Instant::now(), AtomicBool::new(false));
        let (connection, response) = match timeout(patience, self.exchange(host, request, after, &sent)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(outcome)) => return outcome,
            Err(_) if sent.load(Ordering::Relaxed) => return Outcome::TimedOut { after },
            Err(_) => {
                let why = format!("no connection to {} within {}", host.address, seconds(after));
                return Outcome::Unreachable { why: why.into() };
            }
        };
        request.heard(who, response.headers());
        let behind = self.is_behind(response.headers());
        let left = patience.saturating_sub(began.elapsed());
        let pace = request.own_pace().unwrap_or(Pace { piece: left, total: left });
        let read = timeout(pace.total, self.read(host, connection, response, after, pace.piece)).await;
        let outcome = read.ok().flatten().unwrap_or_else(|| {
            let took = request.own_pace().map(|_| began.elapsed());
            Outcome::TimedOut { after: took.unwrap_or(after) }
        });
        for news in behind {
            Box::pin(self.bring(host, news)).await;
        }
        outcome
    }

    /// What a host lacks that we have, by what it says: it was down when that was brought to all.
    fn is_behind(&self, headers: &HeaderMap) -> Vec<News> {
        let said = |name| headers.get(name).and_then(|text: &HeaderValue| text.to_str().ok());
        let identity = &self.inner.in_force.now().identity;
        let trust = said(wire::header::TRUST).and_then(|number| number.parse().ok());
        let trust = trust.is_some_and(|theirs: u64| theirs < identity.trust_number());
        let list = said(wire::header::REVOCATIONS).is_some_and(|theirs| identity.revoked().is_news_for(theirs));
        // A list of a new authority is good for those who believe it.
        [(trust, News::Trust), (list, News::Revocations)]
            .into_iter()
            .filter_map(|(is, news)| is.then_some(news))
            .collect()
    }

    /// Brings a host something; if that fails, the next call tries again.
    async fn bring(&self, host: &Host, news: News) {
        let request = Request::new(&news.call(&self.inner.in_force.now().identity));
        let sent = AtomicBool::new(false);
        let brought = async {
            let (connection, response) = self.exchange(host, &request, BRINGING, &sent).await.ok()?;
            self.read(host, connection, response, BRINGING, BRINGING).await
        };
        match timeout(BRINGING, brought).await {
            Ok(Some(Outcome::Ok(_))) => tracing::info!(host = %host.name, ?news, "brought what it lacked"),
            Ok(other) => tracing::debug!(host = %host.name, ?news, ?other, "could not bring what it lacks"),
            Err(_) => tracing::debug!(host = %host.name, ?news, "could not bring what it lacks in time"),
        }
    }

    /// Sends the request and waits for the head of the answer.
    async fn exchange(
        &self,
        host: &Host,
        request: &Request,
        after: Duration,
        sent: &AtomicBool,
    ) -> Result<(Connection, Response<Incoming>), Outcome> {
        let inner = &*self.inner;
        let mut http = request.to_http(host.name.as_str(), after);
        // It may have been in use, and so not in the pool, when our certificate was replaced.
        let kept = inner.pool.take(host);
        let mut kept = kept.filter(|connection: &Connection| connection.is_ours(&inner.in_force.now()));
        loop {
            let from_pool = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                // What is rare and large lies apart: each call of a fan-out would carry it along.
                None => match Box::pin(self.open(host)).await {
                    Ok(connection) => connection,
                    Err(ConnectError::Failed(why)) => return Err(Outcome::Unreachable { why }),
                    Err(ConnectError::Unwelcome(why)) => return Err(refused_us(why)),
                },
            };
            if let Err(error) = self.check(&connection) {
                return Err(Outcome::Unreachable { why: error.to_string().into() });
            }
            if let Err(error) = connection.sender.ready().await {
                if from_pool {
                    continue;
                }
                let (why, refused) = connection.broken(host, &error).await;
                return Err(if refused { refused_us(why) } else { Outcome::Unreachable { why } });
            }
            sent.store(true, Ordering::Relaxed);
            let answered = tokio::select! {
                answered = connection.sender.try_send_request(http) => answered,
                why = inner.in_force.gives_up(&connection.shown) => return Err(lost(why.to_string().into())),
            };
            match answered {
                Ok(response) => return Ok((connection, response)),
                Err(mut error) => {
                    // The request comes back only if not a byte of it was written. A kept connection may have been
                    // closed by the other side meanwhile: that alone is tried again, on a new one.
                    let unsent = error.take_message();
                    let (why, refused) = connection.broken(host, error.error()).await;
                    match unsent {
                        Some(back) if from_pool => {
                            sent.store(false, Ordering::Relaxed);
                            http = back;
                        }
                        _ if refused && !from_pool => return Err(refused_us(why)),
                        Some(_) => return Err(Outcome::Unreachable { why }),
                        None => return Err(lost(why)),
                    }
                }
            }
        }
    }

    /// A connection of one's own, for whatever is sent as `B`.
    pub(super) async fn open<B>(&self, host: &Host) -> Result<Connection<B>, ConnectError>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let inner = &*self.inner;
        if !host.address.via().is_empty() {
            return Err(ConnectError::Failed(no_way_for_bytes(host)));
        }
        inner.opened.fetch_add(1, Ordering::Relaxed);
        let connection = Connection::open(host, &inner.in_force.now(), inner.options.connect_timeout).await?;
        inner.ends.note(&host.name, connection.certificate_ends());
        Ok(connection)
    }

    /// Whether the host at the other end still is who it was.
    pub(super) fn check<B>(&self, connection: &Connection<B>) -> Result<(), tls::Error> {
        connection.check(&self.inner.in_force.now().identity)
    }

    /// Ends when the host at the other end is not believed any more, with what is to be said of it.
    pub(super) async fn revokes<B>(&self, connection: &Connection<B>) -> tls::Error {
        self.inner.in_force.gives_up(&connection.shown).await
    }

    /// Reads an answer whose head is here; nothing if a piece of it does not come within `patience`.
    async fn read(
        &self,
        host: &Host,
        connection: Connection,
        response: Response<Incoming>,
        after: Duration,
        patience: Duration,
    ) -> Option<Outcome> {
        let status = response.status();
        let limit = self.inner.options.max_answer;
        let mut body = Limited::new(response.into_body(), limit);
        let mut text = Vec::new();
        loop {
            let next = tokio::select! {
                next = timeout(patience, body.frame()) => next.ok()?,
                why = self.inner.in_force.gives_up(&connection.shown) => return Some(lost(why.to_string().into())),
            };
            let Some(frame) = next else { break };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => text.extend_from_slice(&data),
                // Trailers say nothing that we know.
                Ok(Err(_)) => {}
                Err(error) => {
                    let why = match error.downcast_ref::<hyper::Error>() {
                        Some(error) => broken_exchange(host, error).0,
                        None => format!("the answer is longer than {limit} bytes").into(),
                    };
                    return Some(lost(why));
                }
            }
        }
        self.inner.pool.put(host, connection);
        Some(of_response(status, &text, after))
    }
}

/// What a host may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Which authorities are believed.
    Trust,
    /// Who is revoked.
    Revocations,
}

impl News {
    fn call(self, identity: &Identity) -> Call {
        match self {
            Self::Trust => {
                let statements = identity.trust().map(|trust| trust.to_pem()).unwrap_or_default();
                Call::new("identity.trust", vec![statements.into()])
            }
            Self::Revocations => Call::new("identity.crl", vec![identity.revoked().to_pem().into()]),
        }
    }
}

/// A fleet for as long as somebody else has it.
#[derive(Debug, Clone)]
pub struct WeakFleet(Weak<Inner>);

impl WeakFleet {
    /// The fleet, if there still is one.
    pub fn upgrade(&self) -> Option<Fleet> {
        Some(Fleet { inner: self.0.upgrade()? })
    }
}

fn of_response(status: StatusCode, body: &[u8], given: Duration) -> Outcome {
    if status != StatusCode::OK {
        return Outcome::Refused { why: format!("it answered HTTP {status}").into() };
    }
    match parse_answer(body) {
        Ok(answer) => Outcome::of_answer(answer, given),
        Err(error) => lost(Reason::new("the answer makes no sense", error)),
    }
}

fn lost(why: Reason) -> Outcome {
    Outcome::Lost { why: why.after("the call was sent, and whether it ran is not known") }
}

fn refused_us(why: Reason) -> Outcome {
    Outcome::Refused { why: why.after("it does not accept our certificate") }
}
