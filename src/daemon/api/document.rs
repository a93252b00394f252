//! The `OpenAPI` 3.1 document, of the table of routes and of what bodies and answers hold.

use serde_json::{Map, Value as Json, json};

use super::{routes::Route, table::ROUTES};
use crate::fleet::Outcome;

/// The `OpenAPI` 3.1 document.
pub(in crate::daemon) fn document() -> Json {
    let schemas = schemas();
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = describe(route, &schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Func overlord", "version": env!("CARGO_PKG_VERSION"),
                  "description": "Typed methods on a whole fleet, over a Unix socket, and over mutual TLS where that is configured." },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn describe(route: &Route, schemas: &Json) -> Json {
    let content = |(media, schema): (&str, &str)| json!({ media: { "schema": reference(schema) } });
    let parameter = |place: &str, name: &str, text: &str| {
        json!({ "in": place, "name": name, "description": text, "required": place == "path",
                "schema": { "type": "string" } })
    };
    let mut parameters: Vec<Json> = route.query.iter().map(|(name, text)| parameter("query", name, text)).collect();
    if route.path.contains("{id}") {
        let what = if route.path.starts_with("/v1/schedules") {
            "the name of the schedule"
        } else {
            "the job, as `/v1/jobs` names it"
        };
        parameters.push(parameter("path", "id", what));
    }
    let problem = json!({ "description": "refused", "content": content(("application/problem+json", "Problem")) });
    let mut described = json!({
        "operationId": route.name, "summary": route.summary, "parameters": parameters,
        "responses": { route.status.to_string(): { "description": route.summary, "content": content(route.answer) },
                       "default": problem },
    });
    if let Some(body) = route.body {
        // A body all of whose members may be left out may be left out itself.
        let required = schemas[body.1]["required"].as_array().is_none_or(|members| !members.is_empty());
        described["requestBody"] = json!({ "required": required, "content": content(body) });
    }
    described
}

fn reference(schema: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// How hosts are called in steps, in calls, jobs and other tries of jobs.
fn steps() -> Json {
    let share = |text: &str| {
        json!({ "description": text, "oneOf": [{ "type": "integer", "minimum": 0 },
                                               { "type": "string", "pattern": "^[0-9]+%?$" }] })
    };
    json!({
        "canary": share("so many hosts, or such a part of all like `10%`, first, and the others only if all of them are well"),
        "batch": share("so many at a time, and the next when all of them have ended"),
        "pause": seconds("seconds between two batches"),
        "max_fail": share("nobody else once more than so many have failed"),
        "retry": { "type": "integer", "minimum": 0, "description": "how often a host that cannot be reached is tried again" },
    })
}

fn text(description: &str) -> Json {
    json!({ "type": "string", "description": description })
}

fn texts(description: &str) -> Json {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn seconds(description: &str) -> Json {
    json!({ "type": "number", "exclusiveMinimum": 0, "description": description })
}

fn object(required: &[&str], properties: Json) -> Json {
    let mut schema = json!({ "type": "object", "required": required });
    schema["properties"] = properties;
    schema
}

/// An object without other members than these.
fn closed(required: &[&str], parts: &[Json]) -> Json {
    let members = parts.iter().filter_map(Json::as_object).flatten();
    let properties: Map<_, _> = members.map(|(name, schema)| (name.clone(), schema.clone())).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn requests() -> Json {
    let call = json!({
        "target": text("like `web*;db1`, `web{1..20}` or `@web and not web1`"), "method": text("MODULE.METHOD"),
        "args": { "type": "array", "description": "what the method takes; base64 as {\"$base64\": …}, a secret as {\"$secret\": \"…\"}, or as plain text where a host can tell the method's types" },
        "exclude": text("leave these out, written like the target"),
        "allow_unknown": { "type": "boolean", "description": "try a plain name that the inventory does not have, on the usual port" },
        "filter": texts("only where all of these conditions on facts hold, as each host says itself, like `os_id=debian,cpus>=4`"),
        "filter_or": texts("only where one of these holds; and all of `filter`"),
        "check": { "type": "boolean", "description": "change nothing: answer what the method would do" },
        "forks": { "type": "integer", "minimum": 1, "description": "so many hosts at a time" },
        "timeout": seconds("seconds that each host has to answer, or to accept a job"),
    });
    let budget = json!({ "budget": { "type": "boolean", "description": "with each host's outcome tell as `budget` what the call has used there" } });
    let job = json!({
        "job_timeout": seconds("seconds that the method may run on each host"),
        "give_up_after": seconds("seconds after which hosts without a result are given up"),
    });
    let schedule = json!({
        "cron": text("like `30 2 * * mon-fri`, or six fields with seconds before them"),
        "zone": text("its time zone, like `Europe/Prague`; the overlord's own without it"),
        "catch_up": seconds("seconds by which a run may be late; 60 without it"),
        "allow_overlap": { "type": "boolean", "description": "begin a run also while the job of the last one is open" },
    });
    let secrets = json!({ "secrets": texts("the secrets of the call, which are not kept, in their order") });
    let outcomes = json!({ "outcomes": { "type": "array", "minItems": 1, "items": { "enum": Outcome::NAMES[1..] },
                                         "description": "hosts that ended so are tried again" } });
    json!({
        "CallRequest": closed(&["target", "method"], &[call.clone(), steps(), budget]),
        "JobRequest": closed(&["target", "method"], &[call.clone(), steps(), job.clone()]),
        "ScheduleRequest": closed(&["target", "method", "cron"], &[call, steps(), job, schedule]),
        "RetryRequest": closed(&["outcomes"], &[outcomes, secrets.clone(), steps()]),
        "ResumeRequest": closed(&[], &[secrets]),
    })
}

fn answers() -> Json {
    let count = json!({ "type": "integer" });
    let unmatched = texts("parts of the target that chose nobody");
    let unmapped = texts("chosen hosts of which it is not known who is behind them");
    let warnings =
        texts("what is likely not as it was meant: groups and facts that are old, hosts of which too little is known");
    let job = json!({
        "id": text("the job"), "status": { "enum": ["RUNNING", "PARTIAL", "FINISHED"] },
        "interrupted": { "type": "boolean", "description": "nobody hands it out; resume it" },
        "submitter": { "type": ["string", "null"], "description": "who made it: a user here, or the holder of a certificate" },
        "target": text("as it was written"), "method": text("MODULE.METHOD"), "summary": reference("Summary"), "open": count,
        "warnings": texts("of a job that was made now, the same as of a call"),
    });
    let of_job = |hosts: Json| {
        let mut properties = job.clone();
        properties["hosts"] = hosts;
        properties
    };
    json!({
        "CallAnswer": object(&["method", "summary", "hosts", "unmatched", "unmapped", "warnings"], json!({
            "method": text("MODULE.METHOD"), "summary": reference("Summary"), "unmatched": unmatched,
            "unmapped": unmapped, "warnings": warnings,
            "hosts": { "type": "object", "description": "by host", "additionalProperties": reference("Outcome") },
        })),
        "Outcome": object(&["outcome"], json!({
            "outcome": { "enum": Outcome::NAMES }, "value": { "description": "the method's result, if it is ok" },
            "error": { "type": "object", "description": "the method's failure" }, "why": text("what went wrong"),
            "budget": { "type": "object", "description": "what the call has used, if that was asked for: time, memory, host functions, denials" },
        })),
        "Summary": object(&["ok", "total"], json!({ "total": count, "ok": count })),
        "Hosts": object(&["hosts", "skipped", "unmatched", "unmapped", "warnings"], json!({
            "hosts": { "type": "array", "items": object(&["name", "address"], json!({ "name": text("its name"),
                                                                                     "address": text("where it is") })) },
            "skipped": { "type": "object", "description": "why a host is not asked, by name" },
            "unmatched": unmatched, "unmapped": unmapped, "warnings": warnings,
        })),
        "Job": object(&["id", "status", "submitter", "target", "method", "hosts", "summary", "open"],
                      of_job(json!({ "type": "object", "description": "state and result, by host" }))),
        "Jobs": object(&["jobs", "unreadable"], json!({
            "jobs": { "type": "array", "items": object(
                &["id", "status", "submitter", "submitted", "hosts", "open", "summary"], of_job(count.clone())) },
            "unreadable": { "type": "object", "description": "why a job's record cannot be read, by job" },
        })),
        "Schedule": object(&["name", "cron", "zone", "target", "method", "next", "paused", "last"], json!({
            "name": text("the schedule"), "cron": text("when"), "zone": text("in which time zone"),
            "next": { "type": ["string", "null"], "description": "when it runs next; nothing while it is paused" },
            "paused": { "type": ["string", "null"], "description": "since when it is paused" },
            "last": { "type": ["object", "null"], "description": "the job of the last run, and how it stands" },
            "ran": count, "missed": count, "skipped": count, "failed": count,
            "history": { "type": "array", "description": "what came of the latest instants; where one schedule is asked for" },
        })),
        "Schedules": object(&["schedules", "unreadable", "kept"], json!({
            "schedules": { "type": "array", "items": reference("Schedule") },
            "unreadable": { "type": "object", "description": "why a schedule cannot be read, by name" },
            "kept": { "type": "boolean", "description": "whether a daemon begins their runs" },
        })),
        "Removed": object(&["removed"], json!({ "removed": text("the schedule") })),
        "Budgets": object(&["budgets"], json!({ "budgets": { "type": "object", "description": "by host; those that cannot tell are not there" } })),
        "Event": { "type": "string", "description": "`event:` is line, progress, result or end; `data:` is an object with `host`" },
        "Health": object(&["jobs"], json!({ "jobs": { "type": "integer", "description": "open ones" } })),
        "Problem": object(&["title", "status", "detail"], json!({
            "title": text("the status in words"), "status": count, "detail": text("what is wrong"), "hint": text("what to do"),
        })),
        "Document": { "type": "object" }, "Text": { "type": "string" }, "XmlRpc": { "type": "string" },
    })
}

fn schemas() -> Json {
    let mut schemas = requests();
    if let (Json::Object(all), Json::Object(more)) = (&mut schemas, answers()) {
        all.extend(more);
    }
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::api::{CallRequest, JobRequest, Members, ResumeRequest, RetryRequest, ScheduleRequest};

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
        let schemas = schemas();
        for (name, mut read) in [
            ("CallRequest", CallRequest::names()),
            ("JobRequest", JobRequest::names()),
            ("ScheduleRequest", ScheduleRequest::names()),
            ("RetryRequest", RetryRequest::names()),
            ("ResumeRequest", ResumeRequest::names()),
        ] {
            let mut told: Vec<_> =
                schemas[name]["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            told.sort_unstable();
            read.sort_unstable();
            assert_eq!(told, read, "{name}");
        }
    }
}
