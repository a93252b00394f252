//! A connection for one attempt, and what is asked and answered on it.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Collected, Either, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use tokio::time::{Instant, timeout};

use super::attempt::Broken;
use crate::{
    ca::Host,
    fleet::{
        Fleet, Outcome, Reason,
        connection::{ConnectError, Connection},
    },
    tls,
    transfer::{CODING, FileBody, Name, OFFSET},
};

/// A connection on which nothing moves for so long is given up. The minion digests and syncs within it.
pub(super) const STILL: Duration = Duration::from_mins(2);
/// How often is looked whether anything moves.
const LOOK: Duration = Duration::from_millis(100);
/// The longest sentence of a refusal that is read.
const SENTENCE: usize = 4096;

pub(super) type Body = Either<Full<Bytes>, FileBody>;

/// A connection to a host that is who it was, for as long as its certificate is not revoked.
pub(super) struct Channel<'a> {
    fleet: &'a Fleet,
    host: &'a Host,
    connection: Connection<Body>,
}

/// What tells that something moves while an answer is waited for.
pub(super) struct Watch<'a> {
    pub(super) taken: &'a AtomicU64,
    pub(super) moved: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Channel<'a> {
    pub(super) async fn open(fleet: &'a Fleet, host: &'a Host) -> Result<Self, Broken> {
        let connection = match fleet.open(host).await {
            Ok(connection) => connection,
            Err(ConnectError::Failed(why)) => return Err(Broken::Unreachable(why)),
            Err(ConnectError::Unwelcome(why)) => return Err(unwelcome(why)),
        };
        let gone = |why: String| Broken::Final(Outcome::Unreachable { why: why.into() });
        fleet.check(&connection).map_err(|error| gone(error.to_string()))?;
        Ok(Self { fleet, host, connection })
    }

    /// Sends a request and waits for the head of its answer, for as long as anything moves.
    pub(super) async fn exchange(
        mut self,
        request: Request<Body>,
        watch: Option<&Watch<'_>>,
    ) -> Result<(Self, Response<Incoming>), Broken> {
        if let Err(error) = self.connection.sender.ready().await {
            return Err(self.broken(&error).await);
        }
        let answered = {
            let mut answer = pin!(self.connection.sender.send_request(request));
            let mut revoked = pin!(self.fleet.revokes(&self.connection));
            let (mut seen, mut since) = (0, Instant::now());
            loop {
                let answered = tokio::select! {
                    answered = timeout(LOOK, answer.as_mut()) => answered,
                    error = revoked.as_mut() => return Err(cut_off(&error)),
                };
                if let Some(Watch { taken, moved }) = watch {
                    let now = taken.load(Ordering::Relaxed);
                    if now > seen {
                        moved(now - seen);
                        (seen, since) = (now, Instant::now());
                    }
                }
                if let Ok(answered) = answered {
                    break answered;
                }
                if since.elapsed() > STILL {
                    return Err(Broken::Cut("nothing moved any more".into()));
                }
            }
        };
        match answered {
            Ok(answer) => Ok((self, answer)),
            Err(error) => Err(self.broken(&error).await),
        }
    }

    /// An error when the connection is closed already.
    #[cfg(test)]
    pub(super) async fn closes(&mut self) -> hyper::Result<()> {
        tokio::task::yield_now().await;
        self.connection.sender.ready().await
    }

    /// Ends when the host's certificate is revoked.
    pub(super) async fn revoked(&self) -> Broken {
        cut_off(&self.fleet.revokes(&self.connection).await)
    }

    async fn broken(self, error: &hyper::Error) -> Broken {
        match self.connection.broken(self.host, error).await {
            (why, true) => unwelcome(why),
            (why, false) => Broken::Cut(why),
        }
    }
}

fn unwelcome(why: Reason) -> Broken {
    Broken::Final(Outcome::Refused { why: why.after("it does not accept our certificate") })
}

fn cut_off(revoked: &tls::Error) -> Broken {
    Broken::Final(Outcome::Lost { why: Reason::from(revoked.to_string()).after("the transfer was broken off") })
}

pub(super) fn request(host: &Host, method: Method, name: Name, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    if let Ok(uri) = name.path().parse() {
        *request.uri_mut() = uri;
    }
    request.headers_mut().insert(header::HOST, value(host.name.as_str()));
    request
}

pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

pub(super) fn coding(answer: &Response<Incoming>) -> Option<&str> {
    answer.headers().get(CODING)?.to_str().ok()
}

pub(super) fn offset(answer: &Response<Incoming>) -> Option<u64> {
    answer.headers().get(OFFSET)?.to_str().ok()?.parse().ok()
}

/// A status that says no. Some say "not now".
pub(super) fn refused(status: StatusCode, sentence: Option<String>) -> Broken {
    let why = match (status, sentence.filter(|text| !text.is_empty())) {
        (_, Some(text)) => text,
        (StatusCode::PAYLOAD_TOO_LARGE, None) => "it takes less than this from one caller".to_owned(),
        (StatusCode::INSUFFICIENT_STORAGE, None) => "it has no room for this now".to_owned(),
        (StatusCode::METHOD_NOT_ALLOWED, None) => "it takes no transfers".to_owned(),
        (status, None) => format!("it answered HTTP {status}"),
    };
    match status {
        StatusCode::SERVICE_UNAVAILABLE => Broken::Cut(why.into()),
        _ => Broken::Final(Outcome::Refused { why: why.into() }),
    }
}

pub(super) async fn sentence(answer: Response<Incoming>) -> String {
    let body = timeout(Duration::from_secs(5), Limited::new(answer.into_body(), SENTENCE).collect()).await;
    let bytes = body.ok().and_then(Result::ok).map(Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
