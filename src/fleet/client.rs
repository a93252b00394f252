//! Calling one host, and naming what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Response, StatusCode, body::Incoming};
use rustls::ClientConfig;

use super::{
    Outcome, Request,
    connection::{Connection, explain},
    pool::Pool,
};
use crate::{
    ca::Host,
    tls::{self, Identity, RevocationList, client_config},
    wire::{self, parse_answer},
};

/// How the fleet is called.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// A call's deadline, unless its request has one.
    pub timeout: Duration,
    /// How long a host has to accept a connection and shake hands.
    pub connect_timeout: Duration,
    /// The longest answer that is read.
    pub max_answer: usize,
    /// How long an unused connection is kept: less than the minions keep theirs.
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
    tls: Arc<ClientConfig>,
    revoked: Arc<RevocationList>,
    options: FleetOptions,
    pool: Pool,
    opened: AtomicU64,
}

impl Fleet {
    /// A fleet called as `identity`.
    pub fn new(identity: &Identity, options: FleetOptions) -> Result<Self, tls::Error> {
        let tls = client_config(identity, options.sessions)?;
        let revoked = Arc::clone(identity.revoked());
        let pool = Pool::new(options.keep);
        let inner = Inner { tls, revoked, options, pool, opened: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many connections were tried so far.
    pub fn connections_opened(&self) -> u64 {
        self.inner.opened.load(Ordering::Relaxed)
    }

    /// Calls one host. It answers by the deadline, whatever the host does.
    pub async fn call(&self, host: &Host, request: &Request) -> Outcome {
        let after = request.own_timeout().unwrap_or(self.inner.options.timeout);
        // The minion keeps the same deadline, and its own word on it may need a moment to get here.
        let patience = after + (after / 10).min(Duration::from_secs(1));
        let sent = AtomicBool::new(false);
        match tokio::time::timeout(patience, self.exchange(host, request, after, &sent)).await {
            Ok(outcome) => outcome,
            Err(_) if sent.load(Ordering::Relaxed) => Outcome::TimedOut { after },
            Err(_) => Outcome::Unreachable { why: format!("no connection within {} s", after.as_secs_f32()) },
        }
    }

    async fn exchange(&self, host: &Host, request: &Request, after: Duration, sent: &AtomicBool) -> Outcome {
        let inner = &*self.inner;
        let mut http = request.to_http(host.name.as_str(), after);
        let mut kept = inner.pool.take(host, inner.options.idle);
        loop {
            let from_pool = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => match self.connect(host).await {
                    Ok(connection) => connection,
                    Err(why) => return Outcome::Unreachable { why },
                },
            };
            if let Err(error) = connection.check(&inner.revoked) {
                return Outcome::Unreachable { why: error.to_string() };
            }
            if let Err(error) = connection.sender.ready().await {
                if from_pool {
                    continue;
                }
                return Outcome::Unreachable { why: explain(&error).0 };
            }
            sent.store(true, Ordering::Relaxed);
            match connection.sender.try_send_request(http).await {
                Ok(response) => return self.read(host, connection, response).await,
                Err(mut error) => {
                    // The request comes back only if not a byte of it was written. A kept connection may have been
                    // closed by the other side meanwhile: that alone is tried again, on a new one.
                    let unsent = error.take_message();
                    let (why, refused) = explain(error.error());
                    match unsent {
                        Some(back) if from_pool => {
                            sent.store(false, Ordering::Relaxed);
                            http = back;
                        }
                        _ if refused => return refused_us(&why),
                        Some(_) => return Outcome::Unreachable { why },
                        None => return lost(&why),
                    }
                }
            }
        }
    }

    async fn connect(&self, host: &Host) -> Result<Connection, String> {
        let inner = &*self.inner;
        inner.opened.fetch_add(1, Ordering::Relaxed);
        let opened = Connection::open(host, &inner.tls, inner.options.connect_timeout).await;
        opened.map_err(|error| error.to_string())
    }

    async fn read(&self, host: &Host, connection: Connection, response: Response<Incoming>) -> Outcome {
        let status = response.status();
        let limit = self.inner.options.max_answer;
        let body = match Limited::new(response.into_body(), limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                let why = match error.downcast_ref::<hyper::Error>() {
                    Some(error) => explain(error).0,
                    None => format!("the answer is longer than {limit} bytes"),
                };
                return lost(&why);
            }
        };
        self.inner.pool.put(host, connection);
        of_response(status, &body)
    }
}

fn of_response(status: StatusCode, body: &Bytes) -> Outcome {
    if status != StatusCode::OK {
        return Outcome::Refused { why: format!("it answered HTTP {status}") };
    }
    match parse_answer(body) {
        Ok(answer) => Outcome::of_answer(answer),
        Err(error) => lost(&format!("the answer makes no sense: {error}")),
    }
}

fn lost(why: &str) -> Outcome {
    Outcome::Lost { why: format!("the call was sent, and whether it ran is not known: {why}") }
}

fn refused_us(why: &str) -> Outcome {
    Outcome::Refused { why: format!("it does not accept our certificate: {why}") }
}
