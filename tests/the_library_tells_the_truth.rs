//! The modules of the library, called with the grants that are recommended for them, say what the machine says, and answer
//! whatever they are asked with a result or an error that has a kind.

mod checks;
mod echo;
mod files;
mod hostile;
mod links;
mod machine;
mod managers;
mod missing;
mod nagios;
mod network;
mod packages;
mod programs;
mod users;
mod values;

use func::{plugin::CallError, wire::Value};
use serde_json::Value as Json;

use crate::harness::direct::{call_granted, recommended};

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

/// A rule of the module `firewall`.
fn rule(verdict: &str, transport: &str, port: u16, last_port: Option<u16>, source: Option<&str>) -> Value {
    let fields = [
        ("verdict", text(verdict)),
        ("transport", text(transport)),
        ("port", Value::Int(port.into())),
        ("last_port", last_port.map_or(Value::Nil, |port| Value::Int(port.into()))),
        ("source", source.map_or(Value::Nil, text)),
    ];
    Value::Struct(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn call(method: &str, args: &[Value]) -> Json {
    let grant = recommended(method.split('.').next().unwrap());
    call_granted(method, args, grant).await.unwrap_or_else(|error| panic!("{method}: {error}")).to_json()
}

/// The kind and the message of the error that a call with the recommended grants ends in.
async fn error(method: &str, args: &[Value]) -> (String, String) {
    let grant = recommended(method.split('.').next().unwrap());
    failure(call_granted(method, args, grant).await)
}

fn failure(result: Result<Value, CallError>) -> (String, String) {
    match result {
        Err(CallError::Failed { kind, message, .. }) => (kind, message),
        other => panic!("{other:?}"),
    }
}
