//! What each endpoint answers.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Bytes, Frame},
    header,
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use super::{
    Daemon,
    api::{self, CallRequest, Endpoint, JobRequest},
    caller::Caller,
    events,
    problem::Problem,
    rpc, secrets,
    server::{self, Body},
};
use crate::{
    fleet::{Outcome, Request, Selection, Selector, Summary, Target},
    ids::{HostName, MethodName, OverlordJobId},
    overlord::{CallOptions, JobLine, JobOptions, JobView},
    wire::{self, Secrets, Value},
};

/// A line for each host, for whoever asks for it.
const LINES: &str = "application/jsonl";

/// Answers a request whose body is all there.
pub(super) async fn answer(
    daemon: &Daemon,
    caller: &Caller,
    endpoint: Endpoint,
    id: Option<String>,
    head: &Parts,
    body: Bytes,
) -> Result<Response<Body>, Problem> {
    let ok = |data: &Json| Ok(server::json(StatusCode::OK, data));
    match endpoint {
        Endpoint::Hosts => ok(&daemon.hosts(head.uri.query())?),
        Endpoint::Call if takes_lines(&head.headers) => daemon.call_by_lines(&parse(&body)?),
        Endpoint::Call => ok(&daemon.call(&parse(&body)?).await?),
        Endpoint::Submit => {
            let job = daemon.submit(parse(&body)?).await?;
            let place = format!("/v1/jobs/{}", percent_encoding::utf8_percent_encode(job.id.as_str(), SEGMENT));
            let mut response = server::json(StatusCode::CREATED, &job.to_json());
            if let Ok(place) = place.try_into() {
                response.headers_mut().insert(header::LOCATION, place);
            }
            Ok(response)
        }
        Endpoint::Jobs => ok(&daemon.jobs().await?),
        Endpoint::Job => ok(&daemon.overlord.status(&job(id)?).await?.to_json()),
        Endpoint::Cancel => ok(&daemon.overlord.cancel(&job(id)?).await?.to_json()),
        Endpoint::Resume => {
            let fan_out = daemon.overlord.resume(&job(id)?, Secrets::default()).await?;
            let view = daemon.overlord.status(fan_out.id()).await?;
            daemon.attendant.attend(fan_out);
            Ok(server::json(StatusCode::ACCEPTED, &view.to_json()))
        }
        Endpoint::Events => {
            let view = daemon.overlord.status(&job(id)?).await?;
            Ok(events::stream(daemon.overlord.clone(), view.id, daemon.stopping.clone()))
        }
        Endpoint::Rpc => {
            Ok(server::whole(StatusCode::OK, "text/xml; charset=utf-8", rpc::answer(daemon, caller, &body).await))
        }
        Endpoint::Metrics => {
            let text = daemon.figures.text(
                daemon.attendant.count(),
                daemon.overlord.connections_opened(),
                daemon.overlord.certificates_end(),
            );
            let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Ok(server::whole(StatusCode::OK, media, text))
        }
        Endpoint::Health => {
            daemon.overlord.fleet()?;
            daemon.overlord.list().await?;
            ok(&json!({ "jobs": daemon.attendant.count() }))
        }
        Endpoint::Document => ok(&api::document()),
    }
}

const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Daemon {
    /// Whom a target means.
    pub(super) fn hosts(&self, query: Option<&str>) -> Result<Json, Problem> {
        let (mut target, mut exclude) = ("*".to_owned(), None);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "target" => target = value.into_owned(),
                "exclude" => exclude = Some(value.into_owned()),
                name => return Err(Problem::bad(format!("there is no parameter `{name}`; there are target, exclude"))),
            }
        }
        let selection = self.select(&target, exclude.as_deref())?.1;
        let hosts: Vec<_> = selection
            .hosts
            .iter()
            .map(|host| json!({ "name": host.name, "address": host.address.to_string() }))
            .collect();
        let skipped: Map<_, _> =
            selection.skipped.iter().map(|(host, reason)| (host.name.to_string(), reason.text().into())).collect();
        Ok(json!({ "hosts": hosts, "skipped": skipped, "unmatched": selection.unmatched }))
    }

    fn select(&self, target: &str, exclude: Option<&str>) -> Result<(Target, Selection), Problem> {
        let parse =
            |name: &str, text: &str| text.parse::<Target>().map_err(|error| Problem::bad(format!("`{name}`: {error}")));
        let target = parse("target", target)?;
        let exclude = exclude.map(|exclude| parse("exclude", exclude)).transpose()?;
        let selection = self.overlord.select(&Selector { exclude, ..Selector::new(target.clone()) })?;
        Ok((target, selection))
    }

    /// A call's answer when every host has ended.
    pub(super) async fn call(&self, request: &CallRequest) -> Result<Json, Problem> {
        let (method, unmatched, answers) = self.send(request)?;
        let mut answers = pin!(answers);
        let (mut hosts, mut summary) = (Map::new(), Summary::default());
        while let Some((host, outcome)) = answers.next().await {
            summary.add(&outcome);
            hosts.insert(host.to_string(), outcome.to_json());
        }
        Ok(json!({ "method": method, "summary": summary.to_json(), "hosts": hosts, "unmatched": unmatched }))
    }

    /// The same, a line for each host when it ends.
    fn call_by_lines(&self, request: &CallRequest) -> Result<Response<Body>, Problem> {
        let (method, unmatched, answers) = self.send(request)?;
        let line = |data: &Json| Ok(Frame::data(Bytes::from(format!("{data}\n"))));
        let all = answers.map(Some).chain(futures_util::stream::iter([None]));
        let lines = all.scan(Summary::default(), move |summary, answer| {
            let data = match answer {
                Some((host, outcome)) => {
                    summary.add(&outcome);
                    let mut data = outcome.to_json();
                    data["host"] = json!(host);
                    data
                }
                None => json!({ "method": method, "summary": summary.to_json(), "unmatched": unmatched }),
            };
            std::future::ready(Some(line(&data)))
        });
        Ok(server::answer(StatusCode::OK, LINES, StreamBody::new(lines).boxed_unsync()))
    }

    #[expect(clippy::type_complexity, reason = "the parts of one answer")]
    fn send(
        &self,
        request: &CallRequest,
    ) -> Result<(String, Vec<String>, impl futures_util::Stream<Item = (HostName, Outcome)> + Send + use<>), Problem>
    {
        let method = method(&request.method, request.check)?;
        let (_, selection) = self.select(&request.target, request.exclude.as_deref())?;
        let unmatched = selection.unmatched.clone();
        let args = request.args.iter().map(Value::from_json).collect();
        let usual = CallOptions::default();
        let options = CallOptions {
            forks: forks(request.forks)?.unwrap_or(usual.forks),
            timeout: seconds("timeout", request.timeout)?,
            ..usual
        };
        let call = Request::new(&wire::Call::new(method.to_string(), args));
        let figures = self.figures.clone();
        let answers =
            self.overlord.send(selection, call, options)?.inspect(move |(_, outcome)| figures.outcome(outcome));
        Ok((method.to_string(), unmatched, answers))
    }

    /// A job that is durable, and attended from now on.
    pub(super) async fn submit(&self, request: JobRequest) -> Result<JobView, Problem> {
        let method = method(&request.method, request.check)?;
        let (target, selection) = self.select(&request.target, request.exclude.as_deref())?;
        let args = request.args.iter().map(Value::from_json).collect();
        let args = secrets::sealed(&self.overlord, &selection, &method, args).await;
        let usual = JobOptions::default();
        let options = JobOptions {
            forks: forks(request.forks)?.unwrap_or(usual.forks),
            timeout: seconds("job_timeout", request.job_timeout)?,
            give_up_after: seconds("give_up_after", request.give_up_after)?.unwrap_or(usual.give_up_after),
            ..usual
        };
        let fan_out = self.overlord.submit(target.as_str(), selection, method, args, options).await?;
        let view = self.overlord.status(fan_out.id()).await;
        // The job is there, whether or not it can be shown.
        self.attendant.attend(fan_out);
        Ok(view?)
    }

    /// Every job.
    pub(super) async fn jobs(&self) -> Result<Json, Problem> {
        let list = self.overlord.list().await?;
        let unreadable: Map<_, _> =
            list.unreadable.iter().map(|row| (row.key.clone(), row.error.to_string().into())).collect();
        Ok(json!({ "jobs": list.jobs.iter().map(JobLine::to_json).collect::<Vec<_>>(), "unreadable": unreadable }))
    }
}

/// The job that a path names.
pub(super) fn job(id: Option<String>) -> Result<OverlordJobId, Problem> {
    id.unwrap_or_default().parse().map_err(|error| Problem::bad(format!("this is no job's id: {error}")))
}

fn method(name: &str, check: bool) -> Result<MethodName, Problem> {
    let method: MethodName = name.parse().map_err(|error| Problem::bad(format!("`method`: {error}")))?;
    Ok(if check { method.check() } else { method })
}

fn seconds(name: &str, seconds: Option<f64>) -> Result<Option<Duration>, Problem> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => Err(Problem::bad(format!("`{name}` is a number of seconds above 0, not {seconds}"))),
    }
}

fn forks(forks: Option<u32>) -> Result<Option<usize>, Problem> {
    match forks {
        Some(0) => Err(Problem::bad("`forks` is at least 1")),
        forks => Ok(forks.map(|forks| forks as usize)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(format!("the body cannot be used: {error}")))
}

fn takes_lines(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(LINES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refused = |result: Result<Option<Duration>, Problem>| result.unwrap_err().text().to_owned();
        for odd in [0.0, -1.0, f64::NAN, 1e300] {
            assert!(refused(seconds("timeout", Some(odd))).starts_with("`timeout` is"));
        }
        assert_eq!(seconds("timeout", Some(0.5)).unwrap(), Some(Duration::from_millis(500)));
        let unknown = parse::<CallRequest>(br#"{"target": "*", "method": "test.add", "arg": [1]}"#).unwrap_err();
        assert!(unknown.text().contains("`arg`"), "{}", unknown.text());
    }

    #[test]
    fn any_body_is_read_or_refused() {
        let call =
            br#"{"target":"web*;db1","method":"test.add","args":[1,{"$base64":"AAEC"}],"check":true,"timeout":0.5}"#;
        let job = br#"{"target":"*","method":"a.b","exclude":"web1","job_timeout":1e3,"give_up_after":9,"forks":4}"#;
        let words = ["{", "}", "[", "]", "\"", ":", ",", "null", "-", "1e400", "0", "\"args\":", "{1..9}", "\\ud800"];
        crate::sys::fuzz::fuzz("requests_in_json", &[call, job], &words, |bytes| {
            let target = |text: &str| text.parse::<Target>().map(drop).map_err(|error| error.to_string());
            let call = parse::<CallRequest>(bytes).map(|call| {
                let args = call.args.iter().map(|arg| Value::from_json(arg).to_json()).collect::<Vec<_>>().len();
                let time = seconds("timeout", call.timeout).map(|time| time.is_some());
                (method(&call.method, call.check).is_ok(), target(&call.target), time.is_ok(), args.min(3))
            });
            let job = parse::<JobRequest>(bytes).map(|job| {
                let times = [job.job_timeout, job.give_up_after].map(|time| seconds("job_timeout", time).is_ok());
                let exclude = job.exclude.as_deref().map(target);
                (method(&job.method, job.check).is_ok(), exclude, times, forks(job.forks).is_ok())
            });
            let text = String::from_utf8_lossy(bytes);
            let told = |problem: Problem| problem.to_json().to_string();
            (call.map_err(told), job.map_err(told), super::job(Some(text.into_owned())).is_ok())
        });
        let paths: [&[u8]; 2] = [b"/v1/jobs/%2A-test-add-7/cancel", b"/healthz"];
        crate::sys::fuzz::fuzz("paths", &paths, &["/", "%", "%2f", "%ff", "..", "{id}", "?"], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            (api::find(&hyper::Method::GET, &text), api::find(&hyper::Method::POST, &text))
        });
    }
}
