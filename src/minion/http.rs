//! HTTP around the calls: which requests are read at all, how much of them, and how answers look.
//!
//! Refusals below XML-RPC are plain HTTP statuses, and still carry a fault for clients that read it.
//! A stock client sends its whole request before it reads a word of the answer, so what is refused is
//! swallowed first, up to a bound: closing at once would reset the connection under its feet, and the
//! reason would never arrive.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Bytes, Incoming},
    header::{self, HeaderValue},
};

use super::{
    activity::Activity,
    backend::Backend,
    caller::{Caller, Extras},
    dispatch::{Dispatcher, Reply},
    intake::Intake,
};
use crate::{
    transfer::{self, FileBody},
    wire::{self, Answer, Fault, encode_answer},
};

/// An answer's body: all of it, or a file bit by bit.
pub(super) type AnswerBody = Either<Full<Bytes>, FileBody>;

/// How much of a refused request is swallowed.
const SWALLOWED: u64 = 256 << 20;

/// The longest header that says what a call has used: stock clients read lines of 64 kB.
const MOST_BUDGET: usize = 16 << 10;

/// The most room that is made for a body before any of it is there.
const PREPARED: usize = 64 << 10;

/// Bounds on one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) largest: u64,
    pub(super) body_time: Duration,
}

/// One connection's side of answering.
pub(super) struct Service<B> {
    pub(super) dispatcher: Arc<Dispatcher<B>>,
    pub(super) caller: Arc<Caller>,
    pub(super) activity: Activity,
    pub(super) bounds: Bounds,
    pub(super) intake: Intake,
}

impl<B: Backend> Service<B> {
    pub(super) async fn respond(&self, request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
        let _busy = self.activity.busy();
        let path = request.uri().path();
        if request.method() != Method::POST
            && path.starts_with(transfer::PATH)
            && let Some(transfers) = self.dispatcher.transfers.clone()
        {
            return Ok(self.blob(&transfers, request).await);
        }
        let mut response = match self.answer(request).await {
            Ok(Reply { answer, budget }) => {
                let mut response = response(StatusCode::OK, &answer, false);
                let budget = budget.and_then(|budget| HeaderValue::try_from(budget.to_json(MOST_BUDGET)).ok());
                if let Some(budget) = budget {
                    response.headers_mut().insert(wire::header::BUDGET, budget);
                }
                response
            }
            Err((status, reason)) => response(status, &Answer::Fault(Fault::refused(reason)), true),
        };
        let numbers = self.dispatcher.identity.numbers().and_then(|numbers| HeaderValue::try_from(numbers).ok());
        if let Some(numbers) = numbers {
            response.headers_mut().insert(wire::header::REVOCATIONS, numbers);
        }
        if let Some(number) = self.dispatcher.identity.trust_number() {
            response.headers_mut().insert(wire::header::TRUST, HeaderValue::from(number));
        }
        Ok(response)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Reply, (StatusCode, String)> {
        let (head, body) = request.into_parts();
        // Status 200, because a stock client shows the text of a fault only then.
        if let Err(fault) = self.dispatcher.admit(&self.caller).await {
            self.swallow(&head, body).await;
            return Err((StatusCode::OK, fault.message));
        }
        let refusal = if head.method != Method::POST {
            Some((StatusCode::METHOD_NOT_ALLOWED, "XML-RPC calls are POST requests".to_owned()))
        } else if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "requests must not be compressed".to_owned()))
        } else if body.size_hint().lower() > self.bounds.largest {
            Some(self.too_large())
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.swallow(&head, body).await;
            return Err(refusal);
        }
        let busy = || (StatusCode::SERVICE_UNAVAILABLE, "the minion holds as many requests as it can".to_owned());
        let time = self.bounds.body_time;
        let room = self.intake.before(body.size_hint().exact());
        let Ok(room) = tokio::time::timeout(time, room).await else {
            self.swallow(&head, body).await;
            return Err(busy());
        };
        let body = tokio::time::timeout(time, self.read(body))
            .await
            .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time".to_owned()))??;
        let room = tokio::time::timeout(time, self.intake.after(room, body.len())).await.map_err(|_| busy())?;
        let extras = Extras::read(&head.headers);
        Ok(Arc::clone(&self.dispatcher).answer(Arc::clone(&self.caller), extras, &body, room).await)
    }

    async fn read(&self, mut body: Incoming) -> Result<Vec<u8>, (StatusCode, String)> {
        // What the client says of the length is not believed before it sends that much.
        let promised = usize::try_from(body.size_hint().lower()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(promised.min(PREPARED));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "the request did not arrive whole".to_owned()))?;
            if let Ok(data) = frame.into_data() {
                if (bytes.len() + data.len()) as u64 > self.bounds.largest {
                    swallow(body).await;
                    return Err(self.too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes)
    }

    fn too_large(&self) -> (StatusCode, String) {
        let message = format!("the request is larger than the {} bytes that this minion reads", self.bounds.largest);
        (StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(super) async fn swallow(&self, head: &hyper::http::request::Parts, body: Incoming) {
        // Who asks first ("Expect: 100-continue") has not sent anything yet.
        if !head.headers.contains_key(header::EXPECT) {
            // A body that does not even come in time is left where it is.
            let _ = tokio::time::timeout(self.bounds.body_time, swallow(body)).await;
        }
    }
}

async fn swallow(mut body: Incoming) {
    let mut left = SWALLOWED;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn response(status: StatusCode, answer: &Answer, close: bool) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(encode_answer(answer)))));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if close {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
