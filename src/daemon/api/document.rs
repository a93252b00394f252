//! The `OpenAPI` 3.1 document, of the table of routes and of what bodies and answers hold.

use serde_json::{Map, Value as Json, json};

use super::routes::{ROUTES, Route};

/// The `OpenAPI` 3.1 document.
pub(in crate::daemon) fn document() -> Json {
    let mut paths = Map::new();
    for route in &ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = describe(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Func overlord", "version": env!("CARGO_PKG_VERSION"),
                  "description": "Typed methods on a whole fleet, over a Unix socket, and over mutual TLS where that is configured." },
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

fn describe(route: &Route) -> Json {
    let content = |(media, schema): (&str, &str)| json!({ media: { "schema": reference(schema) } });
    let parameter = |place: &str, name: &str, text: &str| {
        json!({ "in": place, "name": name, "description": text, "required": place == "path",
                "schema": { "type": "string" } })
    };
    let mut parameters: Vec<Json> = route.query.iter().map(|(name, text)| parameter("query", name, text)).collect();
    if route.path.contains("{id}") {
        parameters.push(parameter("path", "id", "the job, as `/v1/jobs` names it"));
    }
    let problem = json!({ "description": "refused", "content": content(("application/problem+json", "Problem")) });
    let mut described = json!({
        "operationId": route.name, "summary": route.summary, "parameters": parameters,
        "responses": { route.status.to_string(): { "description": route.summary, "content": content(route.answer) },
                       "default": problem },
    });
    if let Some(body) = route.body {
        described["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    described
}

fn reference(schema: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
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
    use crate::daemon::api::{CallRequest, JobRequest};

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
