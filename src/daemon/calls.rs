//! Calls that are answered when the hosts have.

use std::{collections::HashMap, pin::pin};

use futures_util::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Bytes, Frame},
    header,
};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use tokio::sync::mpsc;

use super::{
    Daemon,
    api::{CallRequest, Wanted},
    caller::Caller,
    problem::Problem,
    server::{self, Body},
};
use crate::{
    fleet::{Outcome, Request, Summary},
    ids::HostName,
    plugin::Budget,
    wire,
};

/// A line for each host, for whoever asks for it.
const LINES: &str = "application/jsonl";

/// What is known of a call before any host has answered.
struct Begun<A> {
    method: String,
    unmatched: Vec<String>,
    unmapped: Vec<HostName>,
    warnings: Vec<String>,
    answers: A,
}

/// What became of the call on a host.
struct Ended {
    host: HostName,
    outcome: Outcome,
    /// What it has used, if that was asked for and the host tells it.
    budget: Option<Budget>,
}

impl Ended {
    fn to_json(&self) -> Json {
        let mut data = self.outcome.to_json();
        if let Some(budget) = &self.budget {
            data["budget"] = json!(budget);
        }
        data
    }
}

impl Daemon {
    /// A call's answer when every host has ended.
    pub(super) async fn call(&self, caller: &Caller, request: &CallRequest) -> Result<Json, Problem> {
        let Begun { method, unmatched, unmapped, warnings, answers } = self.send(caller, request)?;
        let mut answers = pin!(answers);
        let (mut hosts, mut summary) = (Map::new(), Summary::default());
        while let Some(ended) = answers.next().await {
            summary.add(&ended.outcome);
            hosts.insert(ended.host.to_string(), ended.to_json());
        }
        Ok(json!({
            "method": method, "summary": summary.to_json(), "hosts": hosts, "unmatched": unmatched,
            "unmapped": unmapped, "warnings": warnings,
        }))
    }

    /// The same, a line for each host when it ends.
    pub(super) fn call_by_lines(&self, caller: &Caller, request: &CallRequest) -> Result<Response<Body>, Problem> {
        let Begun { method, unmatched, unmapped, warnings, answers } = self.send(caller, request)?;
        let line = |data: &Json| Ok(Frame::data(Bytes::from(format!("{data}\n"))));
        let all = answers.map(Some).chain(futures_util::stream::iter([None]));
        let lines = all.scan(Summary::default(), move |summary, answer| {
            let data = if let Some(ended) = answer {
                summary.add(&ended.outcome);
                let mut data = ended.to_json();
                data["host"] = json!(ended.host);
                data
            } else {
                json!({
                    "method": method, "summary": summary.to_json(), "unmatched": unmatched,
                    "unmapped": unmapped, "warnings": warnings,
                })
            };
            std::future::ready(Some(line(&data)))
        });
        Ok(server::answer(StatusCode::OK, LINES, StreamBody::new(lines).boxed_unsync()))
    }

    fn send(
        &self,
        caller: &Caller,
        request: &CallRequest,
    ) -> Result<Begun<impl Stream<Item = Ended> + Send + use<>>, Problem> {
        let wanted = request.asked.wanted()?;
        let selection = self.overlord.select(&wanted.selector)?;
        let (unmatched, unmapped) = (selection.unmatched.clone(), selection.unmapped.clone());
        let warnings = selection.warnings(Timestamp::now());
        let options = wanted.call_options(selection.hosts.len());
        let Wanted { method, args, filter, .. } = wanted;
        let mut call = Request::new(&wire::Call::new(method.to_string(), Wanted::sent(filter.as_ref(), args)));
        let (to, mut told) = mpsc::unbounded_channel();
        if request.budget {
            call = call.budgets(to);
        }
        let (who, hosts) = (caller.who(), selection.hosts.len());
        tracing::info!(caller = who, %method, target = request.asked.target, hosts, "a call is made");
        let figures = self.figures.clone();
        let mut budgets = HashMap::new();
        let answers = self.overlord.send(selection, call, options)?.map(move |(host, outcome)| {
            let outcome = match &filter {
                Some(filter) => outcome.past_filter(filter),
                None => outcome,
            };
            figures.outcome(&outcome);
            // A host tells it before it has ended.
            budgets.extend(std::iter::from_fn(|| told.try_recv().ok()));
            Ended { budget: budgets.remove(&host), host, outcome }
        });
        Ok(Begun { method: method.to_string(), unmatched, unmapped, warnings, answers })
    }
}

/// Whether whoever asks wants a line for each host.
pub(super) fn takes_lines(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(LINES))
}
