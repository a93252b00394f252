//! What is sent, ready to be sent many times.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, header, http::HeaderValue};

use tokio::sync::mpsc;

use crate::{
    ids::{HostName, MinionJobId, OverlordJobId},
    plugin::Budget,
    wire::{self, Call},
};

/// A call, encoded once, with what travels beside it. Clones share the encoded body.
#[derive(Debug, Clone)]
pub struct Request {
    body: Bytes,
    headers: HeaderMap,
    timeout: Option<Duration>,
    pace: Option<Pace>,
    told: Told,
    budgets: Option<Budgets>,
    /// How many pass it on.
    hops: u32,
}

/// Where what a call has used goes, host by host.
pub type Budgets = mpsc::UnboundedSender<(HostName, Budget)>;

/// How fast a long answer has to come, once it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest pause between two pieces.
    pub piece: Duration,
    /// The longest time for all of it.
    pub total: Duration,
}

/// What the minion is told of the time that it has.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// As long as we wait for the answer.
    SameAsOurs,
    /// The time for a job, which is longer than we wait for its acceptance; nothing leaves it to the minion.
    Job(Option<Duration>),
}

impl Request {
    /// A request with the fleet's usual deadline.
    pub fn new(call: &Call) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"))]);
        let body = Bytes::from(wire::encode_call(call));
        Self { body, headers, timeout: None, pace: None, told: Told::SameAsOurs, budgets: None, hops: 0 }
    }

    /// With a deadline of its own. The minion is told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// With the wish to know what the call uses.
    #[must_use]
    pub fn budgets(mut self, to: Budgets) -> Self {
        self.set(wire::header::BUDGET, "1");
        self.budgets = Some(to);
        self
    }

    /// With the word that a file's digest may follow its bytes. A minion that does not know it tells it at once.
    #[must_use]
    pub fn trailing_digest(mut self) -> Self {
        self.set(wire::header::DIGEST, "trailing");
        self
    }

    /// What a host says of it, passed on. It is the host's word: one that makes no sense is left out.
    pub(super) fn heard(&self, host: &HostName, headers: &HeaderMap) {
        let said = headers.get(wire::header::BUDGET).and_then(|value| serde_json::from_slice(value.as_bytes()).ok());
        if let (Some(to), Some(budget)) = (&self.budgets, said) {
            // Whoever asked may have stopped listening.
            let _ = to.send((host.clone(), budget));
        }
    }

    /// With a deadline that is kept when the answer begins; over a thin line the rest may take longer.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    /// The submission of a job: with the minion's job id, chosen by us, and the time that the job has.
    #[must_use]
    pub fn job(mut self, id: &MinionJobId, time: Option<Duration>) -> Self {
        self.set(wire::header::JOB_ID, id.as_str());
        self.told = Told::Job(time);
        self
    }

    /// With the overlord's job that it belongs to.
    #[must_use]
    pub fn overlord_job(mut self, id: &OverlordJobId) -> Self {
        self.set(wire::header::OVERLORD_JOB, id.as_str());
        self
    }

    /// With the word for whom it is made: who asked us, behind those on whose behalf that one said to ask.
    #[must_use]
    pub fn on_behalf_of(mut self, before: Option<&str>, caller: &str) -> Self {
        let before = before.map(|before| format!("{before}, ")).unwrap_or_default();
        let names: String = format!("{before}{}", caller.escape_default()).chars().take(wire::header::NAMES).collect();
        self.set(wire::header::ON_BEHALF_OF, &names);
        self
    }

    /// The same for somebody who passes it on: another call, and all that travels beside it.
    pub(super) fn wrapped(&self, call: impl FnOnce(Call) -> Call, hops: usize) -> Result<Self, wire::ParseError> {
        let body = Bytes::from(wire::encode_call(&call(wire::parse_call(&self.body)?)));
        Ok(Self { body, hops: u32::try_from(hops).unwrap_or(u32::MAX), ..self.clone() })
    }

    /// How many pass it on.
    pub(super) fn hops(&self) -> u32 {
        self.hops
    }

    /// The deadline, if it has one of its own.
    pub fn own_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How fast its answer has to come after it has begun; by the deadline if this is nothing.
    pub(super) fn own_pace(&self) -> Option<Pace> {
        self.pace
    }

    pub(super) fn to_http(&self, host: &str, timeout: Duration) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = hyper::Method::POST;
        *request.headers_mut() = self.headers.clone();
        let told = match self.told {
            Told::SameAsOurs => Some(timeout),
            Told::Job(time) => time,
        };
        if let Some(time) = told {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
            request.headers_mut().insert(wire::header::TIMEOUT_MS, HeaderValue::from(millis));
        }
        if let Ok(value) = HeaderValue::from_str(host) {
            request.headers_mut().insert(header::HOST, value);
        }
        request
    }

    /// Job ids hold no control characters; bytes beyond ASCII are allowed in a header's value.
    fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.insert(name, value);
        }
    }
}
