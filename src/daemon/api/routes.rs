//! The table of what can be asked.

use hyper::Method;
use percent_encoding::percent_decode_str;

use crate::daemon::caller::Deed;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum Endpoint {
    Hosts,
    Call,
    Submit,
    Jobs,
    Job,
    Cancel,
    Resume,
    Retry,
    Budgets,
    Events,
    Schedules,
    Schedule,
    SetSchedule,
    RemoveSchedule,
    RunSchedule,
    Rpc,
    Metrics,
    Health,
    Document,
}

impl Endpoint {
    /// What asking for it does. XML-RPC is looked at again when its method is known. Whoever listens to a job asks its hosts,
    /// settles those that are in doubt and writes down what they answer.
    pub(in crate::daemon) fn deed(self) -> Deed {
        match self {
            Self::Call | Self::Submit | Self::Cancel | Self::Resume | Self::Retry | Self::Budgets | Self::Events => {
                Deed::Acts
            }
            Self::SetSchedule | Self::RemoveSchedule | Self::RunSchedule => Deed::Acts,
            Self::Schedules | Self::Schedule => Deed::Looks,
            Self::Hosts | Self::Jobs | Self::Job | Self::Rpc | Self::Metrics | Self::Health | Self::Document => {
                Deed::Looks
            }
        }
    }
}

/// One row of the table.
pub(super) struct Route {
    endpoint: Endpoint,
    /// For figures and as `operationId`.
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// `{…}` stands for one segment.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Option<(&'static str, &'static str)>,
    pub(super) status: u16,
    pub(super) answer: (&'static str, &'static str),
}

const JSON: &str = "application/json";
const XML: &str = "text/xml";

pub(super) const ROUTES: [Route; 19] = [
    Route {
        endpoint: Endpoint::Hosts,
        name: "hosts",
        method: Method::GET,
        path: "/v1/hosts",
        summary: "Whom a target means",
        query: &[("target", "the target; every host without it"), ("exclude", "leave these out")],
        body: None,
        status: 200,
        answer: (JSON, "Hosts"),
    },
    Route {
        endpoint: Endpoint::Call,
        name: "call",
        method: Method::POST,
        path: "/v1/calls",
        summary: "Call a method on each host and answer when each has ended; with `Accept: application/jsonl` a line for \
                  each host as it ends, the last with the summary",
        query: &[],
        body: Some((JSON, "CallRequest")),
        status: 200,
        answer: (JSON, "CallAnswer"),
    },
    Route {
        endpoint: Endpoint::Submit,
        name: "submit",
        method: Method::POST,
        path: "/v1/jobs",
        summary: "Make a job of a call; answered when the job is durable, before anything is sent",
        query: &[],
        body: Some((JSON, "JobRequest")),
        status: 201,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Jobs,
        name: "jobs",
        method: Method::GET,
        path: "/v1/jobs",
        summary: "Every job, oldest first",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Jobs"),
    },
    Route {
        endpoint: Endpoint::Job,
        name: "job",
        method: Method::GET,
        path: "/v1/jobs/{id}",
        summary: "A job and each of its hosts, as the store knows them; no minion is asked",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Cancel,
        name: "cancel",
        method: Method::POST,
        path: "/v1/jobs/{id}/cancel",
        summary: "End a job on every host that has not ended",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Resume,
        name: "resume",
        method: Method::POST,
        path: "/v1/jobs/{id}/resume",
        summary: "Go on with a job that nobody hands out; nothing runs twice",
        query: &[],
        body: Some((JSON, "ResumeRequest")),
        status: 202,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Retry,
        name: "retry",
        method: Method::POST,
        path: "/v1/jobs/{id}/retry",
        summary: "Make a new job of a job's call, on those of its hosts that ended in one of these ways",
        query: &[],
        body: Some((JSON, "RetryRequest")),
        status: 201,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Budgets,
        name: "budgets",
        method: Method::GET,
        path: "/v1/jobs/{id}/budgets",
        summary: "What a job has used on each host: time, memory, host functions, denials; the minions are asked",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Budgets"),
    },
    Route {
        endpoint: Endpoint::Events,
        name: "events",
        method: Method::GET,
        path: "/v1/jobs/{id}/events",
        summary: "Server-sent events, from the job's beginning: `line` and `progress` of each host, `result` when it ends, \
                  `end` with the job",
        query: &[],
        body: None,
        status: 200,
        answer: ("text/event-stream", "Event"),
    },
    Route {
        endpoint: Endpoint::Schedules,
        name: "schedules",
        method: Method::GET,
        path: "/v1/schedules",
        summary: "Every schedule, by name, and whether a daemon begins their runs",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Schedules"),
    },
    Route {
        endpoint: Endpoint::Schedule,
        name: "schedule",
        method: Method::GET,
        path: "/v1/schedules/{id}",
        summary: "A schedule, and what came of its latest instants",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Schedule"),
    },
    Route {
        endpoint: Endpoint::SetSchedule,
        name: "set_schedule",
        method: Method::PUT,
        path: "/v1/schedules/{id}",
        summary: "Set a schedule, perhaps anew; its hosts are asked whether its arguments are free of secrets",
        query: &[],
        body: Some((JSON, "ScheduleRequest")),
        status: 200,
        answer: (JSON, "Schedule"),
    },
    Route {
        endpoint: Endpoint::RemoveSchedule,
        name: "remove_schedule",
        method: Method::DELETE,
        path: "/v1/schedules/{id}",
        summary: "Take a schedule away; its jobs stay",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Removed"),
    },
    Route {
        endpoint: Endpoint::RunSchedule,
        name: "run_schedule",
        method: Method::POST,
        path: "/v1/schedules/{id}/run",
        summary: "Run a schedule now, whatever its timetable says; answered when the job is durable, before anything is sent",
        query: &[],
        body: None,
        status: 201,
        answer: (JSON, "Job"),
    },
    Route {
        endpoint: Endpoint::Rpc,
        name: "rpc",
        method: Method::POST,
        path: "/RPC2",
        summary: "XML-RPC: overlord.call, overlord.submit, overlord.status, overlord.cancel, overlord.resume, overlord.retry, \
                  overlord.jobs, overlord.hosts, system.listMethods; options are a struct with the members of the JSON \
                  bodies, as the last argument",
        query: &[],
        body: Some((XML, "XmlRpc")),
        status: 200,
        answer: (XML, "XmlRpc"),
    },
    Route {
        endpoint: Endpoint::Metrics,
        name: "metrics",
        method: Method::GET,
        path: "/metrics",
        summary: "Figures for Prometheus",
        query: &[],
        body: None,
        status: 200,
        answer: ("application/openmetrics-text", "Text"),
    },
    Route {
        endpoint: Endpoint::Health,
        name: "health",
        method: Method::GET,
        path: "/healthz",
        summary: "Whether the store and the identity can be used",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Health"),
    },
    Route {
        endpoint: Endpoint::Document,
        name: "document",
        method: Method::GET,
        path: "/openapi.json",
        summary: "This document",
        query: &[],
        body: None,
        status: 200,
        answer: (JSON, "Document"),
    },
];

/// A request's place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) enum Found {
    /// It is this, about the job of that id, if it is about one.
    Endpoint {
        endpoint: Endpoint,
        name: &'static str,
        id: Option<String>,
    },
    /// The path is known, with these methods.
    OtherMethods(String),
    Nothing,
}

/// What a path says.
struct About {
    /// What stands at the place of `{id}`.
    id: Option<String>,
}

/// Finds what a request is for.
pub(in crate::daemon) fn find(method: &Method, path: &str) -> Found {
    let mut others = Vec::new();
    for route in &ROUTES {
        let Some(job) = route.fits(path) else { continue };
        if route.method == *method {
            return Found::Endpoint { endpoint: route.endpoint, name: route.name, id: job.id };
        }
        others.push(route.method.as_str());
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others.join(", ")) }
}

impl Route {
    /// What the path says, if it is this one.
    fn fits(&self, path: &str) -> Option<About> {
        let mut id = None;
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(About { id }),
                (Some("{id}"), Some(segment)) => {
                    id = Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
                }
                (Some(wanted), Some(given)) if wanted == given => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_by_its_method_and_path() {
        let job = find(&Method::GET, "/v1/jobs/%2A-test-add-7");
        let expected = Found::Endpoint { endpoint: Endpoint::Job, name: "job", id: Some("*-test-add-7".into()) };
        assert_eq!(job, expected);
        assert_eq!(find(&Method::DELETE, "/v1/jobs"), Found::OtherMethods("POST, GET".into()));
        for path in ["/", "/v1", "/v1/jobs/", "/v1/jobs/x/cancel/now", "/v1/jobs/%ff", "//v1/jobs"] {
            let found = find(&Method::GET, path);
            assert!(!matches!(&found, Found::Endpoint { id: None, .. }), "{path}: {found:?}");
        }
    }
}
