//! Bytes over HTTP, beside the calls: the minion's side of [`transfer`](crate::transfer).
//!
//! Who may call may stage bytes, within bounds, and fetch what was offered to it; what becomes of them is
//! decided by calls. Each transfer leaves a line in the audit log when its bytes begin to come and one when
//! it ends; a denial leaves one, too.

use std::{io::ErrorKind as Io, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{self, HeaderMap, HeaderName, HeaderValue},
};

use super::{
    backend::Backend,
    caller::Extras,
    entry::{About, Entry},
    http::{AnswerBody, Service},
    policy,
    transfers::Transfers,
};
use crate::{
    access::AuditOutcome,
    transfer::{
        self, Begun, Blob, CODING, Coding, ContentRange, FileBody, InvalidName, Name, Refused, Staged, Upload,
        from_range,
    },
    wire::{self, Call, Value},
};

/// As many bytes have to come within the time for a body; slower ones are given up.
const PACE: u64 = 256 << 10;
/// How much of a small body is read although it is refused, so that its sender hears why.
const READ_ANYWAY: u64 = 1 << 20;

/// What is answered: a status, perhaps an offset, and a sentence.
struct Said {
    status: StatusCode,
    offset: Option<u64>,
    text: String,
}

impl Said {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, offset: None, text: text.into() }
    }

    fn at(status: StatusCode, offset: u64) -> Self {
        Self { offset: Some(offset), ..Self::new(status, "") }
    }
}

impl From<Refused> for Said {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::Offset { offset } => {
                return Self { offset: Some(*offset), ..Self::new(StatusCode::CONFLICT, refused.to_string()) };
            }
            Refused::Length => StatusCode::BAD_REQUEST,
            Refused::Mismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Refused::TooMuch { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Refused::Busy | Refused::Superseded => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Write(error) => {
                tracing::error!(%error, "cannot write what arrives");
                let full = matches!(error.kind(), Io::StorageFull | Io::QuotaExceeded);
                if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR }
            }
        };
        Self::new(status, refused.to_string())
    }
}

impl From<std::io::Error> for Said {
    fn from(error: std::io::Error) -> Self {
        Refused::Write(error).into()
    }
}

impl<B: Backend> Service<B> {
    /// Answers a request for a blob.
    pub(super) async fn blob(&self, transfers: &Transfers, request: Request<Incoming>) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        if let Err(fault) = self.dispatcher.admit(&self.caller).await {
            return plain(Said::new(StatusCode::FORBIDDEN, fault.message), true);
        }
        let digest = match (Name::in_path(head.uri.path()), &head.method) {
            (Some(name), &Method::GET) => return self.send(transfers, name, &head.headers).await,
            (Some(Name::Digest(digest)), _) => digest,
            _ => return plain(Said::new(StatusCode::NOT_FOUND, InvalidName.to_string()), true),
        };
        let blob = Blob::new(digest, &self.caller.peer.name);
        match head.method {
            Method::HEAD => {
                transfers.staging.settle(&blob).await;
                let said = look(transfers, &blob, &head.headers).unwrap_or_else(|said| said);
                let mut response = plain(Said { text: String::new(), ..said }, false);
                insert(response.headers_mut(), HeaderName::from_static(CODING), "lz4");
                response
            }
            Method::PUT => {
                if let Err(fault) = policy::may_send(&self.dispatcher, &self.caller) {
                    return plain(Said::new(StatusCode::FORBIDDEN, fault.message), true);
                }
                let mut body = body;
                let said = match self.receive(transfers, blob, &head.headers, &mut body).await {
                    Ok(said) | Err(said) => said,
                };
                let refused = !said.status.is_success();
                if refused {
                    read_anyway(&mut body, self.bounds.body_time).await;
                }
                plain(said, refused)
            }
            _ => plain(Said::new(StatusCode::METHOD_NOT_ALLOWED, "HEAD, PUT and GET are for bytes"), true),
        }
    }

    /// The file of an offer, from an offset on.
    async fn send(&self, transfers: &Transfers, name: Name, headers: &HeaderMap) -> Response<AnswerBody> {
        let Some((file, size)) = transfers.offers.get(name, &self.caller.peer.name) else {
            return plain(Said::new(StatusCode::NOT_FOUND, "this is not offered, or not any more"), false);
        };
        let first = match text(headers, &header::RANGE).map(from_range) {
            None => 0,
            Some(Ok(first)) if first <= size => first,
            Some(_) => return plain(Said::new(StatusCode::RANGE_NOT_SATISFIABLE, "there is no such part"), false),
        };
        let Ok(place) = Arc::clone(&transfers.sending).try_acquire_owned() else {
            return plain(Refused::Busy.into(), false);
        };
        let range = ContentRange::rest(first, size);
        self.note("transfer.get", name, range, AuditOutcome::Begun, None).await;
        let said = text(headers, CODING).map(str::to_owned);
        let looked = Arc::clone(&file);
        let best = move || Coding::best(said.as_deref(), &looked, first, size);
        let coding = tokio::task::spawn_blocking(best).await.unwrap_or_default();
        let body = match name {
            Name::Digest(_) => FileBody::new(file, first, size, coding),
            Name::Offer(_) => FileBody::with_digest(file, first, size, coding, Arc::clone(&transfers.known)),
        };
        let mut response = Response::new(Either::Right(body.holding(place)));
        if coding == Coding::Lz4 {
            insert(response.headers_mut(), HeaderName::from_static(CODING), "lz4");
        }
        if let Name::Offer(_) = name {
            insert(response.headers_mut(), header::TRAILER, wire::header::DIGEST);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        insert(response.headers_mut(), header::CONTENT_RANGE, &range.to_string());
        insert(response.headers_mut(), header::CONTENT_TYPE, "application/octet-stream");
        response
    }

    async fn receive(
        &self,
        transfers: &Transfers,
        blob: Blob,
        headers: &HeaderMap,
        body: &mut Incoming,
    ) -> Result<Said, Said> {
        let digest = Name::Digest(blob.digest);
        let range = text(headers, &header::CONTENT_RANGE).map(str::parse::<ContentRange>);
        let Some(Ok(range)) = range else {
            return Err(Said::new(StatusCode::BAD_REQUEST, "a `Content-Range: bytes FIRST-LAST/SIZE` says which part"));
        };
        let coding = match text(headers, CODING).map(str::parse::<Coding>) {
            None => Coding::Plain,
            Some(Ok(coding)) => coding,
            Some(Err(error)) => {
                return Err(Said::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()));
            }
        };
        if coding == Coding::Plain && body.size_hint().exact().is_some_and(|length| length != range.length()) {
            return Err(Refused::Length.into());
        }
        let upload = match transfers.staging.begin(blob, range, coding).await {
            Ok(Begun::Whole(length)) => return Ok(Said::at(StatusCode::OK, length)),
            Ok(Begun::Writing(upload)) => upload,
            Err(refused) => {
                let said = Said::from(refused);
                self.note("transfer.put", digest, range, AuditOutcome::Failed, Some(&said.text)).await;
                return Err(said);
            }
        };
        self.note("transfer.put", digest, range, AuditOutcome::Begun, None).await;
        match pour(body, upload, self.bounds.body_time).await {
            Ok(Staged::Whole(length)) => {
                self.note("transfer.put", digest, range, AuditOutcome::Ok, None).await;
                Ok(Said::at(StatusCode::CREATED, length))
            }
            Ok(Staged::Part(offset)) if offset == range.end => {
                self.note("transfer.put", digest, range, AuditOutcome::Ok, None).await;
                Ok(Said::at(StatusCode::ACCEPTED, offset))
            }
            Ok(Staged::Part(offset)) => {
                let why = format!("only {offset} of {} bytes came", range.total);
                self.note("transfer.put", digest, range, AuditOutcome::Failed, Some(&why)).await;
                Err(Said { offset: Some(offset), ..Said::new(StatusCode::REQUEST_TIMEOUT, why) })
            }
            Err(refused) => {
                let said = Said::from(refused);
                self.note("transfer.put", digest, range, AuditOutcome::Failed, Some(&said.text)).await;
                Err(said)
            }
        }
    }

    /// A line in the audit log, as if it had been a call.
    async fn note(&self, method: &str, name: Name, range: ContentRange, outcome: AuditOutcome, error: Option<&str>) {
        let params = vec![Value::from(name.to_string()), Value::from(range.to_string())];
        let (extras, call) = (Extras::default(), Call::new(method, params));
        let entry = Entry::new(&self.caller, &extras, Some(&call));
        self.dispatcher.record(&entry, outcome, error, &About::default()).done().await;
    }
}

fn look(transfers: &Transfers, blob: &Blob, headers: &HeaderMap) -> Result<Said, Said> {
    let staged = transfers.staging.staged(blob)?;
    if let (Staged::Part(_), Some(total)) = (staged, text(headers, transfer::TOTAL)) {
        let total = total.parse().map_err(|_| Said::new(StatusCode::BAD_REQUEST, ""))?;
        transfers.staging.has_room(blob, total)?;
    }
    Ok(match staged {
        Staged::Whole(length) => Said::at(StatusCode::OK, length),
        Staged::Part(0) => Said::new(StatusCode::NOT_FOUND, ""),
        Staged::Part(offset) => Said::at(StatusCode::PARTIAL_CONTENT, offset),
    })
}

/// The body into the upload, as long as it keeps coming. A connection that breaks off leaves a part.
async fn pour(body: &mut Incoming, mut upload: Upload, time: Duration) -> Result<Staged, Refused> {
    let superseded = upload.superseded();
    let pour = async {
        let (mut since, mut came) = (tokio::time::Instant::now(), 0);
        loop {
            let Ok(frame) = tokio::time::timeout_at(since + time, body.frame()).await else { return false };
            let data = match frame {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            came += data.len() as u64;
            if !upload.write(data).await {
                return true;
            }
            if came >= PACE {
                (since, came) = (tokio::time::Instant::now(), 0);
            }
        }
    };
    let whole = tokio::select! {
        whole = pour => whole,
        () = superseded.cancelled() => false,
    };
    upload.finish(whole).await
}

/// The rest of a refused body, if that is little: a connection that is closed under its sender's feet would
/// lose the reason.
async fn read_anyway(body: &mut Incoming, time: Duration) {
    let mut left = READ_ANYWAY;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len) as u64) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(time, read).await;
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn plain(said: Said, close: bool) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(said.text))));
    *response.status_mut() = said.status;
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    if let Some(offset) = said.offset {
        insert(headers, HeaderName::from_static(transfer::OFFSET), &offset.to_string());
    }
    if said.status == StatusCode::SERVICE_UNAVAILABLE {
        insert(headers, header::RETRY_AFTER, "1");
    }
    if close {
        insert(headers, header::CONNECTION, "close");
    }
    response
}
