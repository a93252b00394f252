//! What a program sends as plain text and the method takes as a secret: a job's arguments are kept, so it is sealed before.
//!
//! A host that has the method tells what of its arguments is secret. Where none can be asked, what is not marked as a secret
//! is taken for what it looks like.

use std::time::Duration;

use crate::{
    fleet::Selection,
    ids::MethodName,
    overlord::{CallOptions, Overlord, first_answer},
    wire::{Secrecy, Value, hidden},
};

/// How long hosts may take to tell.
const PATIENCE: Duration = Duration::from_secs(5);

/// The arguments, with what is secret in them sealed.
pub(super) async fn sealed(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    args: Vec<Value>,
) -> Vec<Value> {
    let plain = method.checked().unwrap_or_else(|| method.clone());
    let Ok(question) = format!("{}.get_method_args", plain.module()).parse() else { return args };
    let options = CallOptions { timeout: Some(PATIENCE), ..CallOptions::default() };
    let told = |answer: Value| secrecies(&answer, plain.method());
    match first_answer(overlord, selection, &question, &[], options, told).await {
        Ok((_, kinds)) => seal(&kinds, args),
        Err(_) => args,
    }
}

/// One too many may be the secret of somebody who made a slip.
fn seal(kinds: &[Secrecy], args: Vec<Value>) -> Vec<Value> {
    let takes_secrets = kinds.iter().any(|kind| !kind.is_open());
    let seal = |(index, value): (usize, Value)| match kinds.get(index) {
        Some(kind) => kind.seal(value),
        None if takes_secrets => hidden(&value),
        None => value,
    };
    args.into_iter().enumerate().map(seal).collect()
}

/// What of each parameter is secret, in their order, by the answer to `get_method_args`.
fn secrecies(answer: &Value, method: &str) -> Option<Vec<Secrecy>> {
    let member = |value: &Value, name: &str| match value {
        Value::Struct(members) => members.get(name).cloned(),
        _ => None,
    };
    let Value::Struct(params) = member(&member(answer, method)?, "args")? else { return None };
    let mut ordered = Vec::new();
    for param in params.values() {
        let Value::Int(order) = member(param, "order")? else { return None };
        let secrecy = match member(param, "secret") {
            Some(secrecy) => serde_json::from_value(secrecy.to_json()).ok()?,
            None => Secrecy::Open,
        };
        ordered.push((order, secrecy));
    }
    ordered.sort_by_key(|(order, _)| *order);
    Some(ordered.into_iter().map(|(_, secrecy)| secrecy).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_is_secret_is_sealed_and_nothing_else() {
        let param = |order: i64, secret: Option<&str>| {
            let mut members = vec![("order", Value::Int(order))];
            members.extend(secret.map(|word| ("secret", word.into())));
            Value::structure(members)
        };
        let args = Value::structure([("word", param(1, Some("secret"))), ("name", param(0, None))]);
        let answer = Value::structure([("password", Value::structure([("args", args)]))]);
        let kinds = secrecies(&answer, "password").unwrap();
        assert_eq!(kinds, [Secrecy::Open, Secrecy::Secret]);
        let sealed = seal(&kinds, vec!["bob".into(), "hunter2".into(), "more".into()]);
        assert_eq!(sealed[0], "bob".into());
        assert!(matches!(sealed[1..], [Value::Secret(_), Value::Secret(_)]));
        assert_eq!(seal(&[Secrecy::Open], vec!["a".into(), "b".into()]), ["a".into(), "b".into()]);
        assert_eq!((secrecies(&answer, "other"), secrecies(&Value::Nil, "password")), (None, None));
    }

    #[test]
    fn whatever_a_host_says_of_secrets_is_believed_or_ignored() {
        let answer = br#"{"password":{"args":{"name":{"order":0},"word":{"order":1,"secret":"secret"},
            "all":{"order":2,"secret":{"list":"secret"}}}}}"#;
        let words = ["\"secret\"", "\"order\":", "\"args\":{", "{", "}", "[", "]", "\"list\":", "\"members\":", "null"];
        crate::sys::fuzz::fuzz("secrecies", &[answer], &words, |bytes| {
            let told = serde_json::from_slice(bytes).map(|json| secrecies(&Value::from_json(&json), "password"));
            told.map(|kinds| {
                let args = [Value::from("bob"), Value::Array(vec!["hunter2".into()]), Value::Nil];
                kinds.map(|kinds| format!("{:?}", seal(&kinds, args.to_vec())))
            })
        });
    }
}
