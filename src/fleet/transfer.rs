//! Bytes to and from one host: the overlord's side of [`transfer`](crate::transfer).
//!
//! What is sent has a name by its content, so it may be sent again and again without harm. A connection
//! that breaks is opened anew, and the minion says where to go on; only an attempt that brings nothing at
//! all counts against the host, and a few of those in a row are the end. Transfers use connections of their
//! own, so that calls never wait behind them. To a host that is reached through others they go in pieces, as calls.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use tokio::time::{Instant, timeout};

use super::{
    Fleet, Outcome, Reason,
    connection::{ConnectError, Connection},
    explain::broken_exchange,
};
use crate::{
    ca::Host,
    ids::Digest,
    transfer::{self, CODING, Coding, ContentRange, FileBody, Name, Writing, Written, digest_of, range_from},
    wire::{self, Value},
};

/// So many attempts in a row may bring nothing.
pub(super) const IN_VAIN: u32 = 5;
/// The pause after the first of them; it doubles.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// A connection on which nothing moves for so long is given up. The minion digests and syncs within it.
const STILL: Duration = Duration::from_mins(2);
/// The longest sentence of a refusal that is read.
const SENTENCE: usize = 4096;

/// So often a method may want bytes.
pub(super) const ASKED: u32 = 4;

type Body = Either<Full<Bytes>, FileBody>;

/// A file to send, digested once for all hosts.
#[derive(Debug, Clone)]
pub struct Source {
    origin: Origin,
    /// What it is.
    pub digest: Digest,
    /// How long it is.
    pub size: u64,
}

/// Where the bytes are. A folder may have more files than can be open.
#[derive(Debug, Clone)]
enum Origin {
    Path(PathBuf),
    Open(Arc<File>),
}

/// What it took to send something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that were given to the network, those of broken attempts too.
    pub bytes: u64,
    /// How often a connection broke.
    pub cuts: u32,
}

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

/// Why an attempt ended.
enum Broken {
    /// Nothing was reached.
    Unreachable(Reason),
    /// It broke under way.
    Cut(Reason),
    /// Another attempt would end the same.
    Final(Outcome),
}

impl Source {
    /// Opens and digests a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { origin: Origin::Path(path.to_owned()), ..Self::of(File::open(path)?)? })
    }

    /// Digests an open file.
    pub fn of(file: File) -> io::Result<Self> {
        let (digest, size) = digest_of(&mut &file)?;
        Ok(Self { origin: Origin::Open(Arc::new(file)), digest, size })
    }

    pub(super) fn file(&self) -> io::Result<Arc<File>> {
        match &self.origin {
            Origin::Path(path) => File::open(path).map(Arc::new),
            Origin::Open(file) => Ok(Arc::clone(file)),
        }
    }
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
    pub async fn deliver(
        &self,
        host: &Host,
        call: &super::Request,
        source: &Source,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Outcome {
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
        let mut connection = self.open_transfer(host).await?;
        let name = Name::Digest(source.digest);
        let mut ask = request(host, Method::HEAD, name, Either::Left(Full::default()));
        ask.headers_mut().insert(transfer::TOTAL, HeaderValue::from(source.size));
        let answer = exchange(host, &mut connection, ask, None).await?;
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
        let answer = exchange(host, &mut connection, put, Some(&watch)).await;
        sent.bytes += taken.load(Ordering::Relaxed);
        let answer = answer?;
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
        let mut connection = self.open_transfer(host).await?;
        let mut get = request(host, Method::GET, name, Either::Left(Full::default()));
        get.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        get.headers_mut().insert(CODING, HeaderValue::from_static("lz4"));
        get.headers_mut().insert(header::RANGE, value(&range_from(*at)));
        let answer = exchange(host, &mut connection, get, None).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_FOUND => return Ok(Fetched::NotOffered),
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Fetched::Other),
            status => return Err(refused(status, Some(sentence(answer).await))),
        }
        let local = |error: io::Error| Broken::Final(cannot_write(&error));
        let Ok(coding) = coding(&answer).map_or(Ok(Coding::Plain), str::parse) else { return Ok(Fetched::Other) };
        let mut writing = Writing::start(file.try_clone().map_err(local)?, *at, size, coding);
        let (mut body, mut cut, mut told) = (answer.into_body(), None, *at);
        // What comes as it is can be counted before it is written.
        let mut came = (coding == Coding::Plain).then_some(*at);
        let mut expected = match name {
            Name::Digest(digest) => Some(digest),
            Name::Offer(_) => None,
        };
        while came.is_none_or(|came| came <= size) {
            match timeout(STILL, body.frame()).await {
                Err(_) => cut = Some(Reason::from("nothing came any more")),
                Ok(None) => {}
                Ok(Some(Err(error))) => cut = Some(broken_exchange(host, &error).0),
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
            Some(why) if length < size || expected.is_none() => Err(Broken::Cut(why)),
            _ if came < size => Err(Broken::Cut("it ended too early".into())),
            _ if expected == Some(found) && length == size && came == size => Ok(Fetched::Whole(file)),
            _ => Ok(Fetched::Other),
        }
    }

    async fn open_transfer(&self, host: &Host) -> Result<Connection<Body>, Broken> {
        let connection = match self.open(host).await {
            Ok(connection) => connection,
            Err(ConnectError::Failed(why)) => return Err(Broken::Unreachable(why)),
            Err(ConnectError::Unwelcome(why)) => {
                return Err(Broken::Final(Outcome::Refused { why: why.after("it does not accept our certificate") }));
            }
        };
        self.check(&connection).map_err(|error| Broken::Unreachable(error.to_string().into()))?;
        Ok(connection)
    }
}

/// What tells that something moves while an answer is waited for.
struct Watch<'a> {
    taken: &'a AtomicU64,
    moved: &'a (dyn Fn(u64) + Sync),
}

/// Sends a request and waits for the head of its answer, for as long as anything moves.
async fn exchange(
    host: &Host,
    connection: &mut Connection<Body>,
    request: Request<Body>,
    watch: Option<&Watch<'_>>,
) -> Result<Response<Incoming>, Broken> {
    let broken = |error: &hyper::Error| {
        let (why, unwelcome) = broken_exchange(host, error);
        if unwelcome {
            Broken::Final(Outcome::Refused { why: why.after("it does not accept our certificate") })
        } else {
            Broken::Cut(why)
        }
    };
    connection.sender.ready().await.map_err(|error| broken(&error))?;
    let mut answer = std::pin::pin!(connection.sender.send_request(request));
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        if let Ok(answer) = timeout(Duration::from_millis(100), answer.as_mut()).await {
            if let Some(Watch { taken, moved }) = watch {
                moved(taken.load(Ordering::Relaxed) - seen);
            }
            return answer.map_err(|error| broken(&error));
        }
        if let Some(Watch { taken, moved }) = watch {
            let now = taken.load(Ordering::Relaxed);
            if now > seen {
                moved(now - seen);
                (seen, since) = (now, Instant::now());
            }
        }
        if since.elapsed() > STILL {
            return Err(Broken::Cut("nothing moved any more".into()));
        }
    }
}

fn is_wanted(value: &Value) -> bool {
    matches!(value, Value::Struct(members) if members.get("state").and_then(Value::as_str) == Some("wanted"))
}

/// Pauses before the next attempt, or says that there is none.
async fn give_up(broken: Broken, in_vain: u32, at: u64, size: u64) -> Result<(), Outcome> {
    let last = in_vain >= IN_VAIN;
    match broken {
        Broken::Final(outcome) => return Err(outcome),
        // A host that is not there is not there: nothing was begun that would be worth the wait.
        Broken::Unreachable(why) if last || at == 0 => return Err(Outcome::Unreachable { why }),
        Broken::Cut(why) if last => {
            return Err(Outcome::Lost { why: why.after(&format!("the transfer broke off at {at} of {size} bytes")) });
        }
        Broken::Unreachable(_) | Broken::Cut(_) => {}
    }
    tokio::time::sleep(PAUSE * 2u32.pow(in_vain.saturating_sub(1).min(6))).await;
    Ok(())
}

fn request(host: &Host, method: Method, name: Name, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    if let Ok(uri) = name.path().parse() {
        *request.uri_mut() = uri;
    }
    request.headers_mut().insert(header::HOST, value(host.name.as_str()));
    request
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn coding(answer: &Response<Incoming>) -> Option<&str> {
    answer.headers().get(CODING)?.to_str().ok()
}

fn offset(answer: &Response<Incoming>) -> Option<u64> {
    answer.headers().get(transfer::OFFSET)?.to_str().ok()?.parse().ok()
}

/// The digest that a host tells behind the bytes.
fn trailing(trailers: &HeaderMap) -> Option<Digest> {
    match trailers.get(wire::header::DIGEST)?.to_str().ok()?.parse().ok()? {
        Name::Digest(digest) => Some(digest),
        Name::Offer(_) => None,
    }
}

/// A status that says no. Some say "not now".
fn refused(status: StatusCode, sentence: Option<String>) -> Broken {
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

async fn sentence(answer: Response<Incoming>) -> String {
    let body = timeout(Duration::from_secs(5), Limited::new(answer.into_body(), SENTENCE).collect()).await;
    let bytes = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn cannot_read(error: &io::Error) -> Outcome {
    Outcome::Lost { why: Reason::new("what is to be sent cannot be read", error) }
}

pub(super) fn cannot_write(error: &io::Error) -> Outcome {
    Outcome::Lost { why: Reason::new("what came cannot be written here", error) }
}
