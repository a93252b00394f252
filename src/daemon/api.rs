//! Everything that can be asked, once: requests are found by this table, and the `OpenAPI` document is made of it.

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::caller::Deed;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Hosts,
    Call,
    Submit,
    Jobs,
    Job,
    Cancel,
    Resume,
    Events,
    Rpc,
    Metrics,
    Health,
    Document,
}

impl Endpoint {
    /// What asking for it does. XML-RPC is looked at again when its method is known. Whoever listens to a job asks its hosts,
    /// settles those that are in doubt and writes down what they answer.
    pub(super) fn deed(self) -> Deed {
        match self {
            Self::Call | Self::Submit | Self::Cancel | Self::Resume | Self::Events => Deed::Acts,
            Self::Hosts | Self::Jobs | Self::Job | Self::Rpc | Self::Metrics | Self::Health | Self::Document => {
                Deed::Looks
            }
        }
    }
}

/// One row of the table.
struct Route {
    endpoint: Endpoint,
    /// For figures and as `operationId`.
    name: &'static str,
    method: Method,
    /// `{…}` stands for one segment.
    path: &'static str,
    summary: &'static str,
    query: &'static [(&'static str, &'static str)],
    body: Option<(&'static str, &'static str)>,
    status: u16,
    answer: (&'static str, &'static str),
}

const JSON: &str = "application/json";
const XML: &str = "text/xml";

const ROUTES: [Route; 12] = [
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
        body: None,
        status: 202,
        answer: (JSON, "Job"),
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
        endpoint: Endpoint::Rpc,
        name: "rpc",
        method: Method::POST,
        path: "/RPC2",
        summary: "XML-RPC: overlord.call, overlord.submit, overlord.status, overlord.cancel, overlord.jobs, overlord.hosts, \
                  system.listMethods",
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
pub(super) enum Found {
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
pub(super) fn find(method: &Method, path: &str) -> Found {
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

    fn describe(&self) -> Json {
        let content = |(media, schema): (&str, &str)| json!({ media: { "schema": reference(schema) } });
        let parameter = |place: &str, name: &str, text: &str| {
            json!({ "in": place, "name": name, "description": text, "required": place == "path",
                    "schema": { "type": "string" } })
        };
        let mut parameters: Vec<Json> = self.query.iter().map(|(name, text)| parameter("query", name, text)).collect();
        if self.path.contains("{id}") {
            parameters.push(parameter("path", "id", "the job, as `/v1/jobs` names it"));
        }
        let problem = json!({ "description": "refused", "content": content(("application/problem+json", "Problem")) });
        let mut described = json!({
            "operationId": self.name, "summary": self.summary, "parameters": parameters,
            "responses": { self.status.to_string(): { "description": self.summary, "content": content(self.answer) },
                           "default": problem },
        });
        if let Some(body) = self.body {
            described["requestBody"] = json!({ "required": true, "content": content(body) });
        }
        described
    }
}

fn reference(schema: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// The `OpenAPI` 3.1 document.
pub(super) fn document() -> Json {
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = route.describe();
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Func overlord", "version": env!("CARGO_PKG_VERSION"),
                  "description": "Typed methods on a whole fleet, over a Unix socket, and over mutual TLS where that is configured." },
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

/// The body of a call.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallRequest {
    pub(super) target: String,
    pub(super) method: String,
    #[serde(default)]
    pub(super) args: Vec<Json>,
    #[serde(default)]
    pub(super) exclude: Option<String>,
    #[serde(default)]
    pub(super) check: bool,
    #[serde(default)]
    pub(super) timeout: Option<f64>,
    #[serde(default)]
    pub(super) forks: Option<u32>,
}

/// The body of a job.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobRequest {
    pub(super) target: String,
    pub(super) method: String,
    #[serde(default)]
    pub(super) args: Vec<Json>,
    #[serde(default)]
    pub(super) exclude: Option<String>,
    #[serde(default)]
    pub(super) check: bool,
    #[serde(default)]
    pub(super) job_timeout: Option<f64>,
    #[serde(default)]
    pub(super) give_up_after: Option<f64>,
    #[serde(default)]
    pub(super) forks: Option<u32>,
}

fn schemas() -> Json {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let seconds = |description: &str| json!({ "type": "number", "exclusiveMinimum": 0, "description": description });
    let object = |required: &[&str], properties: Json| json!({ "type": "object", "required": required, "properties": properties });
    let closed = |required: &[&str], properties: Json| json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false });
    let target = text("like `web*;db1`, `web{1..20}` or `@web and not web1`");
    let method = text("MODULE.METHOD");
    let args = json!({ "type": "array", "description": "what the method takes; base64 as {\"$base64\": …}, a secret as {\"$secret\": \"…\"}, or as plain text where a host can tell the method's types" });
    let exclude = text("leave these out, written like the target");
    let check = json!({ "type": "boolean", "description": "change nothing: answer what the method would do" });
    let forks = json!({ "type": "integer", "minimum": 1, "description": "so many hosts at a time" });
    let outcomes = json!({ "type": "object", "description": "by host", "additionalProperties": reference("Outcome") });
    json!({
        "CallRequest": closed(&["target", "method"], json!({
            "target": target, "method": method, "args": args, "exclude": exclude, "check": check, "forks": forks,
            "timeout": seconds("seconds that each host has to answer"),
        })),
        "JobRequest": closed(&["target", "method"], json!({
            "target": target, "method": method, "args": args, "exclude": exclude, "check": check, "forks": forks,
            "job_timeout": seconds("seconds that the method may run on each host"),
            "give_up_after": seconds("seconds after which hosts without a result are given up"),
        })),
        "CallAnswer": object(&["method", "summary", "hosts"], json!({
            "method": method, "summary": reference("Summary"), "hosts": outcomes,
            "unmatched": { "type": "array", "items": text("a part of the target that chose nobody") },
        })),
        "Outcome": object(&["outcome"], json!({
            "outcome": { "enum": ["ok", "failed", "unreachable", "refused", "timed out", "lost", "cancelled", "skipped"] },
            "value": { "description": "the method's result, if it is ok" },
            "error": { "type": "object", "description": "the method's failure" },
            "why": text("what went wrong"),
        })),
        "Summary": object(&["ok", "total"], json!({ "total": { "type": "integer" }, "ok": { "type": "integer" } })),
        "Hosts": object(&["hosts", "skipped", "unmatched"], json!({
            "hosts": { "type": "array", "items": object(&["name", "address"], json!({ "name": text("its name"),
                                                                                     "address": text("where it is") })) },
            "skipped": { "type": "object", "description": "why a host is not asked, by name" },
            "unmatched": { "type": "array", "items": text("a part of the target that chose nobody") },
        })),
        "Job": object(&["id", "status", "target", "method", "hosts", "summary", "open"], json!({
            "id": text("the job"), "status": { "enum": ["RUNNING", "PARTIAL", "FINISHED"] },
            "interrupted": { "type": "boolean", "description": "nobody hands it out; resume it" },
            "target": target, "method": method, "hosts": { "type": "object", "description": "state and result, by host" },
            "summary": reference("Summary"), "open": { "type": "integer" },
        })),
        "Jobs": object(&["jobs", "unreadable"], json!({
            "jobs": { "type": "array", "items": object(&["id", "status", "submitted", "hosts", "open", "summary"], json!({})) },
            "unreadable": { "type": "object", "description": "why a job's record cannot be read, by job" },
        })),
        "Event": { "type": "string", "description": "`event:` is line, progress, result or end; `data:` is an object with `host`" },
        "Health": object(&["jobs"], json!({ "jobs": { "type": "integer", "description": "open ones" } })),
        "Problem": object(&["title", "status", "detail"], json!({
            "title": text("the status in words"), "status": { "type": "integer" }, "detail": text("what is wrong"),
            "hint": text("what to do"),
        })),
        "Document": { "type": "object" }, "Text": { "type": "string" }, "XmlRpc": { "type": "string" },
    })
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

    #[test]
    fn what_the_document_refers_to_is_in_it() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn bodies_have_the_members_that_the_document_tells() {
        let members = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let schemas = schemas();
        for (name, body) in [
            ("CallRequest", serde_json::to_value(CallRequest::default()).unwrap()),
            ("JobRequest", serde_json::to_value(JobRequest::default()).unwrap()),
        ] {
            let (mut told, mut read) = (members(&schemas[name]["properties"]), members(&body));
            told.sort();
            read.sort();
            assert_eq!(told, read, "{name}");
        }
    }
}
