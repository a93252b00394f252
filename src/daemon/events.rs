//! A job as server-sent events (the HTML standard's `text/event-stream`), from its beginning to its end.
//!
//! | event | data |
//! | --- | --- |
//! | `line` | `host`, `line` |
//! | `progress` | `host`, `done`, `total`, `note` |
//! | `result` | `host`, and the outcome |
//! | `end` | the job |
//! | `problem` | a refusal, when the stream cannot go on |
//!
//! Whoever connects again hears everything again. A listener that does not read holds nobody up: at most [`WAITING`] events
//! wait for it, then it is cut off.

use std::{convert::Infallible, time::Duration};

use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Frame},
};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    problem::Problem,
    server::{self, Body},
};
use crate::{
    ids::OverlordJobId,
    overlord::{Error, Heard, JobView, Overlord},
};

/// So many events wait for a slow listener.
const WAITING: usize = 64 << 10;
/// How long after the last result a host may take to tell the rest of its log.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The answer whose body is the job's events.
pub(super) fn stream(overlord: Overlord, id: OverlordJobId, stopping: CancellationToken) -> Response<Body> {
    let (to, events) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let listener = Listener { to };
        tokio::select! {
            told = tell(&overlord, &id, &listener) => match told {
                Ok(view) => listener.tell("end", &view.to_json()),
                Err(error) => listener.tell("problem", &Problem::from(error).to_json()),
            },
            () = listener.to.closed() => {}
            () = stopping.cancelled() => {}
        }
    });
    let frames = stream::unfold(events, |mut events| async move {
        let text: Bytes = events.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(text)), events))
    });
    server::answer(StatusCode::OK, "text/event-stream", StreamBody::new(frames).boxed_unsync())
}

/// Tells results and what the hosts say, until every host has ended and told all.
async fn tell(overlord: &Overlord, id: &OverlordJobId, listener: &Listener) -> Result<JobView, Error> {
    let over = CancellationToken::new();
    let wait = async {
        let view = overlord.wait(id, None, |host, outcome| {
            let mut data = outcome.to_json();
            data["host"] = json!(host);
            listener.tell("result", &data);
        });
        let view = view.await;
        over.cancel();
        view
    };
    let follow = async {
        let told = overlord.follow(id, over.clone(), |host, heard| match heard {
            Heard::Line(line) => listener.tell("line", &json!({ "host": host, "line": line })),
            Heard::Progress { done, total, note } => {
                listener.tell("progress", &json!({ "host": host, "done": done, "total": total, "note": note }));
            }
        });
        let too_late = async {
            over.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            told = told => told,
            () = too_late => Ok(()),
        }
    };
    let (view, told) = tokio::join!(wait, follow);
    if let Err(error) = told {
        // The results are what counts; a log that cannot be heard is told of in its place.
        listener.tell("problem", &Problem::from(error).to_json());
    }
    view
}

struct Listener {
    to: mpsc::Sender<Bytes>,
}

impl Listener {
    /// Data in JSON has no line breaks, so one `data:` line holds it.
    fn tell(&self, event: &str, data: &Json) {
        if self.to.try_send(Bytes::from(format!("event: {event}\ndata: {data}\n\n"))).is_err() && !self.to.is_closed() {
            tracing::warn!("a listener does not read; an event was dropped");
        }
    }
}
