//! Fetching: what a host offers, behind what is here of it already.

use std::{fs::File, io};

use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderValue},
};
use tokio::time::timeout;

use super::{
    attempt::{Broken, give_up},
    channel::{Channel, STILL, coding, refused, request, sentence, value},
};
use crate::{
    ca::Host,
    fleet::{Fleet, Outcome, Reason, explain::broken_exchange},
    transfer::{CODING, Coding, Hasher, Name, Sum, Writing, Written, range_from},
    wire,
};

/// What came of fetching.
#[derive(Debug)]
pub enum Fetched {
    /// All of it, and it is what its digest says.
    Whole(File),
    /// The minion does not offer it (any more); what came so far is in the file.
    NotOffered,
    /// Something else came, or more of it: the file has changed meanwhile, or the minion is not honest.
    Other,
}

impl Fleet {
    /// Fetches what a host offers into `file`, behind the first `offset` bytes that are in it already.
    pub async fn fetch(
        &self,
        host: &Host,
        name: Name,
        size: u64,
        (file, offset): (&File, u64),
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Outcome> {
        if !host.address.via().is_empty() {
            return self.fetch_in_pieces(host, name, size, (file, offset), moved).await;
        }
        let (mut in_vain, mut at) = (0, offset);
        loop {
            let before = at;
            match self.fetch_once(host, name, size, file, &mut at, moved).await {
                Ok(fetched) => return Ok(fetched),
                Err(broken) => {
                    in_vain = if at > before { 1 } else { in_vain + 1 };
                    give_up(broken, in_vain, at, size).await?;
                }
            }
        }
    }

    async fn fetch_once(
        &self,
        host: &Host,
        name: Name,
        size: u64,
        file: &File,
        at: &mut u64,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Broken> {
        let channel = Channel::open(self, host).await?;
        let mut get = request(host, Method::GET, name, Either::Left(Full::default()));
        get.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        get.headers_mut().insert(CODING, HeaderValue::from_static("lz4"));
        get.headers_mut().insert(header::RANGE, value(&range_from(*at)));
        let (channel, answer) = channel.exchange(get, None).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_FOUND => return Ok(Fetched::NotOffered),
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Fetched::Other),
            status => return Err(refused(status, Some(sentence(answer).await))),
        }
        let local = |error: io::Error| Broken::Final(cannot_write(&error));
        let Ok(coding) = coding(&answer).map_or(Ok(Coding::Plain), str::parse) else { return Ok(Fetched::Other) };
        let (mut expected, hasher) = match name {
            Name::Digest(digest) => (Some(Sum::Sha256(digest)), Hasher::sha256()),
            Name::Offer(_) => (None, Hasher::blake3()),
        };
        let mut writing = Writing::start(file.try_clone().map_err(local)?, (*at, size), coding, hasher);
        let (mut body, mut cut, mut told) = (answer.into_body(), None, *at);
        let mut revoked = std::pin::pin!(channel.revoked());
        // What comes as it is can be counted before it is written.
        let mut came = (coding == Coding::Plain).then_some(*at);
        while came.is_none_or(|came| came <= size) {
            let frame = tokio::select! {
                frame = timeout(STILL, body.frame()) => frame,
                broken = revoked.as_mut() => {
                    cut = Some(broken);
                    break;
                }
            };
            match frame {
                Err(_) => cut = Some(Broken::Cut("nothing came any more".into())),
                Ok(None) => {}
                Ok(Some(Err(error))) => cut = Some(Broken::Cut(broken_exchange(host, &error).0)),
                Ok(Some(Ok(frame))) => {
                    let data = match frame.into_data() {
                        Ok(data) => data,
                        Err(frame) => {
                            expected = expected.or_else(|| trailing(frame.trailers_ref()?));
                            continue;
                        }
                    };
                    came = came.map(|came| came + data.len() as u64);
                    let now = came.unwrap_or_else(|| writing.length());
                    moved(now - told);
                    told = now;
                    if now <= size && writing.write(data).await {
                        continue;
                    }
                }
            }
            break;
        }
        let written = writing.finish().await.and_then(|written| written).map_err(local)?;
        *at = written.length;
        let came = came.unwrap_or(written.length);
        moved(came.saturating_sub(told));
        let Written { file, length, digest: found } = written;
        match cut {
            Some(broken) if length < size || expected.is_none() => Err(broken),
            _ if came < size => Err(Broken::Cut("it ended too early".into())),
            _ if expected == Some(found) && length == size && came == size => Ok(Fetched::Whole(file)),
            _ => Ok(Fetched::Other),
        }
    }
}

/// The digest that a host tells behind the bytes.
fn trailing(trailers: &HeaderMap) -> Option<Sum> {
    trailers.get(wire::header::DIGEST)?.to_str().ok()?.parse().ok()
}

pub(in crate::fleet) fn cannot_write(error: &io::Error) -> Outcome {
    Outcome::Lost { why: Reason::new("what came cannot be written here", error) }
}
