//! What each endpoint answers.

use hyper::{Response, StatusCode, body::Bytes, header, http::request::Parts};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{
    Daemon,
    api::{self, Endpoint, Members},
    caller::{Caller, Deed},
    calls, events,
    problem::Problem,
    rpc, schedules,
    server::{self, Body},
    submission::Submitted,
};
use crate::{
    fleet::Selector,
    ids::OverlordJobId,
    overlord::{Error, JobFilter, JobLine},
};

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
        Endpoint::Hosts => ok(&daemon.hosts(caller, head.uri.query())?),
        Endpoint::Call if calls::takes_lines(&head.headers) => daemon.call_by_lines(caller, &parse(&body)?),
        Endpoint::Call => ok(&daemon.call(caller, &parse(&body)?).await?),
        Endpoint::Submit => Ok(created(&daemon.submit(caller, &parse(&body)?).await?)),
        Endpoint::Jobs => {
            let parameters = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
            ok(&daemon.jobs(&api::job_filter(parameters)?).await?)
        }
        Endpoint::Job => ok(&daemon.overlord.status(&job(id)?).await?.to_json()),
        Endpoint::Cancel => ok(&daemon.overlord.cancel(&job(id)?).await?.to_json()),
        Endpoint::Resume => {
            let view = daemon.resume(caller, &job(id)?, &parse_or_none(&body)?).await?;
            Ok(server::json(StatusCode::ACCEPTED, &view.to_json()))
        }
        Endpoint::Retry => Ok(created(&daemon.retry(caller, &job(id)?, &parse(&body)?).await?)),
        Endpoint::Budgets => ok(&json!({ "budgets": daemon.overlord.budgets(&job(id)?).await? })),
        Endpoint::Events => {
            let view = daemon.overlord.status(&job(id)?).await?;
            Ok(events::stream(daemon.overlord.clone(), view.id, daemon.stopping.clone()))
        }
        Endpoint::Schedules => ok(&daemon.schedules().await?),
        Endpoint::Schedule => ok(&daemon.schedule(&schedules::name(id)?).await?),
        Endpoint::SetSchedule => {
            let view = daemon.set_schedule(caller, &schedules::name(id)?, &parse(&body)?).await?;
            ok(&view.to_json(true))
        }
        Endpoint::RemoveSchedule => ok(&daemon.remove_schedule(caller, &schedules::name(id)?).await?),
        Endpoint::RunSchedule => {
            let job = daemon.run_schedule(caller, &schedules::name(id)?).await?;
            Ok(created(&Submitted { job, warnings: Vec::new() }))
        }
        Endpoint::PauseSchedule => ok(&daemon.pause_schedule(caller, &schedules::name(id)?, true).await?),
        Endpoint::ResumeSchedule => ok(&daemon.pause_schedule(caller, &schedules::name(id)?, false).await?),
        Endpoint::Rpc => {
            Ok(server::whole(StatusCode::OK, "text/xml; charset=utf-8", rpc::answer(daemon, caller, &body).await))
        }
        Endpoint::Metrics => {
            // Figures are told as far as they are known.
            let (schedules, _) = daemon.overlord.schedules().await.unwrap_or_default();
            let text = daemon.figures.text(
                daemon.attendant.count(),
                daemon.overlord.connections_opened(),
                daemon.overlord.certificates_end(),
                &schedules,
            );
            let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            Ok(server::whole(StatusCode::OK, media, text))
        }
        Endpoint::Health => {
            daemon.overlord.check_identity()?;
            match daemon.overlord.knock().await {
                // There is none before the first job.
                Ok(()) | Err(Error::NoStore { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            ok(&json!({ "jobs": daemon.attendant.count() }))
        }
        Endpoint::Document => ok(&api::document()),
    }
}

const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl Daemon {
    /// Whom a target means. For whoever may only look, no program that tells groups is run.
    pub(super) fn hosts(&self, caller: &Caller, query: Option<&str>) -> Result<Json, Problem> {
        let (mut target, mut exclude) = ("*".to_owned(), None);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "target" => target = value.into_owned(),
                "exclude" => exclude = Some(value.into_owned()),
                name => return Err(Problem::bad(format!("there is no parameter `{name}`; there are target, exclude"))),
            }
        }
        let exclude = exclude.map(|exclude| api::target("exclude", &exclude)).transpose()?;
        let selector = Selector { exclude, ..Selector::new(api::target("target", &target)?) };
        let selection = match caller.allow(Deed::Acts) {
            Ok(()) => self.overlord.select(&selector)?,
            Err(_) => self.overlord.select_as_known(&selector)?,
        };
        let hosts: Vec<_> = selection
            .hosts
            .iter()
            .map(|host| json!({ "name": host.name, "address": host.address.to_string() }))
            .collect();
        let skipped: Map<_, _> =
            selection.skipped.iter().map(|(host, reason)| (host.name.to_string(), reason.text().into())).collect();
        Ok(json!({ "hosts": hosts, "skipped": skipped, "unmatched": selection.unmatched,
                   "unmapped": selection.unmapped, "warnings": selection.warnings(Timestamp::now()) }))
    }

    /// Every job that is wanted.
    pub(super) async fn jobs(&self, wanted: &JobFilter) -> Result<Json, Problem> {
        let list = self.overlord.list_only(wanted).await?;
        let unreadable: Map<_, _> =
            list.unreadable.iter().map(|row| (row.key.clone(), row.error.to_string().into())).collect();
        Ok(json!({ "jobs": list.jobs.iter().map(JobLine::to_json).collect::<Vec<_>>(), "unreadable": unreadable }))
    }
}

/// The job that a path names.
pub(super) fn job(id: Option<String>) -> Result<OverlordJobId, Problem> {
    id.unwrap_or_default().parse().map_err(|error| Problem::bad(format!("this is no job's id: {error}")))
}

/// The body, or what stands for none.
fn parse_or_none<T: Members>(body: &[u8]) -> Result<T, Problem> {
    let is_none = body.trim_ascii().is_empty() || body.trim_ascii() == b"null";
    if is_none { api::read(json!({})) } else { parse(body) }
}

fn parse<T: Members>(body: &[u8]) -> Result<T, Problem> {
    let json = serde_json::from_slice(body).map_err(|error| Problem::bad(format!("the body is no JSON: {error}")))?;
    api::read(json)
}

/// A job that was made now, and where it is.
fn created(Submitted { job, warnings }: &Submitted) -> Response<Body> {
    let mut data = job.to_json();
    data["warnings"] = json!(warnings);
    let place = format!("/v1/jobs/{}", percent_encoding::utf8_percent_encode(job.id.as_str(), SEGMENT));
    let mut response = server::json(StatusCode::CREATED, &data);
    if let Ok(place) = place.try_into() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_found_or_not() {
        let paths: [&[u8]; 2] = [b"/v1/jobs/%2A-test-add-7/cancel", b"/healthz"];
        crate::sys::fuzz::fuzz("paths", &paths, &["/", "%", "%2f", "%ff", "..", "{id}", "?"], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let found = (api::find(&hyper::Method::GET, &text), api::find(&hyper::Method::POST, &text));
            (found, job(Some(text.into_owned())).is_ok())
        });
    }
}
