//! Sending: the host says where to go on, and gets the rest.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use http_body_util::{Either, Full};
use hyper::{
    Method, StatusCode,
    header::{self, HeaderValue},
};

use super::{
    attempt::{Broken, give_up},
    channel::{Channel, Watch, coding, offset, refused, request, sentence, value},
    source::Source,
};
use crate::{
    ca::Host,
    fleet::{Fleet, Outcome, Reason, Request},
    transfer::{CODING, Coding, ContentRange, FileBody, Name, TOTAL},
    wire::Value,
};

/// So often a method may want bytes.
pub(in crate::fleet) const ASKED: u32 = 4;

/// What it took to send something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that were given to the network, those of broken attempts too.
    pub bytes: u64,
    /// How often a connection broke.
    pub cuts: u32,
}

impl Fleet {
    /// Sends a file to a host's staging folder. `moved` is told of bytes as they go out.
    pub async fn send(&self, host: &Host, source: &Source, moved: &(dyn Fn(u64) + Sync)) -> Result<Sent, Outcome> {
        let mut sent = Sent::default();
        let (mut in_vain, mut furthest) = (0, None);
        loop {
            let mut at = None;
            let broken = match self.send_once(host, source, &mut at, &mut sent, moved).await {
                Ok(()) => return Ok(sent),
                Err(broken) => broken,
            };
            sent.cuts += u32::from(matches!(broken, Broken::Cut(_)));
            in_vain = if at > furthest { 1 } else { in_vain + 1 };
            furthest = furthest.max(at);
            give_up(broken, in_vain, furthest.unwrap_or(0), source.size).await?;
        }
    }

    /// Calls a method that may want bytes first: then they are sent, and it is called again.
    pub async fn deliver(&self, host: &Host, call: &Request, source: &Source, moved: &(dyn Fn(u64) + Sync)) -> Outcome {
        if !host.address.via().is_empty() {
            return self.deliver_in_pieces(host, call, source, moved).await;
        }
        for _ in 0..ASKED {
            match self.call(host, call).await {
                Outcome::Ok(value) if is_wanted(&value) => match self.send(host, source, moved).await {
                    Ok(_) => {}
                    Err(outcome) => return outcome,
                },
                other => return other,
            }
        }
        Outcome::Lost { why: "it wants the bytes again and again".into() }
    }

    /// One attempt; `at` becomes where the minion said to go on.
    async fn send_once(
        &self,
        host: &Host,
        source: &Source,
        at: &mut Option<u64>,
        sent: &mut Sent,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Broken> {
        let channel = Channel::open(self, host).await?;
        let name = Name::Digest(source.digest);
        let mut ask = request(host, Method::HEAD, name, Either::Left(Full::default()));
        ask.headers_mut().insert(TOTAL, HeaderValue::from(source.size));
        let (channel, answer) = channel.exchange(ask, None).await?;
        let first = match answer.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => 0,
            StatusCode::PARTIAL_CONTENT => offset(&answer).filter(|at| *at <= source.size).unwrap_or(0),
            // An answer to HEAD has no sentence.
            status => return Err(refused(status, None)),
        };
        *at = Some(first);
        let file = source.file().map_err(|error| Broken::Final(cannot_read(&error)))?;
        let (size, takes) = (source.size, coding(&answer).map(str::to_owned));
        let looked = Arc::clone(&file);
        let best = move || Coding::best(takes.as_deref(), &looked, first, size);
        let coding = tokio::task::spawn_blocking(best).await.unwrap_or_default();
        let body = FileBody::new(file, first, size, coding);
        let taken = body.taken();
        let mut put = request(host, Method::PUT, name, Either::Right(body));
        let range = ContentRange::rest(first, source.size).to_string();
        put.headers_mut().insert(header::CONTENT_RANGE, value(&range));
        if coding == Coding::Lz4 {
            put.headers_mut().insert(CODING, HeaderValue::from_static("lz4"));
        }
        let watch = Watch { taken: &taken, moved };
        let answered = channel.exchange(put, Some(&watch)).await;
        sent.bytes += taken.load(Ordering::Relaxed);
        let (_channel, answer) = answered?;
        let status = answer.status();
        match status {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            // Somebody else has sent meanwhile, or it came too slowly: ask again where to go on.
            StatusCode::CONFLICT | StatusCode::ACCEPTED | StatusCode::REQUEST_TIMEOUT => {
                Err(Broken::Cut(format!("it answered HTTP {status}").into()))
            }
            status => Err(refused(status, Some(sentence(answer).await))),
        }
    }
}

fn is_wanted(value: &Value) -> bool {
    matches!(value, Value::Struct(members) if members.get("state").and_then(Value::as_str) == Some("wanted"))
}

pub(in crate::fleet) fn cannot_read(error: &io::Error) -> Outcome {
    Outcome::Lost { why: Reason::new("what is to be sent cannot be read", error) }
}
