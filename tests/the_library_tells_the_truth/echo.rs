//! Every type that an argument can have comes back as it was sent.

use std::collections::BTreeMap;

use func::{plugin::CallError, wire::Value};

use super::text;
use crate::harness::direct::{call_granted, grant};

#[tokio::test]
async fn every_type_comes_back() {
    let point = |label: Value| {
        let (x, y) = (("x".to_owned(), Value::Int(1)), ("y".to_owned(), Value::Int(-1)));
        Value::Struct(BTreeMap::from([x, y, ("label".to_owned(), label)]))
    };
    for (method, value) in [
        ("run_boolean", Value::Bool(true)),
        ("run_int", Value::Int(i64::MIN)),
        ("run_s8", Value::Int(-128)),
        ("run_s16", Value::Int(-32_768)),
        ("run_s32", Value::Int(i32::MIN.into())),
        ("run_u8", Value::Int(255)),
        ("run_u16", Value::Int(65_535)),
        ("run_u32", Value::Int(u32::MAX.into())),
        ("run_u64", Value::Int(i64::MAX)),
        ("run_float", Value::Double(0.1)),
        ("run_float32", Value::Double(0.5)),
        ("run_char", text("é")),
        ("run_string", text("a\nb é")),
        ("run_bytes", Value::Bytes(vec![0, 255])),
        ("run_list", Value::Array(vec![text("a"), text("")])),
        ("run_hash", Value::Struct(BTreeMap::from([("k".to_owned(), text("v"))]))),
        ("run_tuple", Value::Array(vec![text("a"), Value::Int(7)])),
        ("run_record", point(text("here"))),
        ("run_optional", Value::Nil),
        ("run_optional", text("a")),
        ("run_options", text("second")),
        ("run_flags", Value::Array(vec![text("a"), text("c")])),
        ("run_variant", text("nothing")),
        ("run_variant", Value::Struct(BTreeMap::from([("dot".to_owned(), point(text("x")))]))),
        ("run_value", Value::Array(vec![Value::Nil, Value::Struct(BTreeMap::from([("k".to_owned(), Value::Int(1))]))])),
    ] {
        let answer = call_granted(&format!("echo.{method}"), std::slice::from_ref(&value), grant("")).await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("{method}: {error}")), value, "{method}");
    }
}

#[tokio::test]
async fn what_is_out_of_range_is_refused_by_name() {
    for (method, value) in [("run_u8", Value::Int(256)), ("run_u64", Value::Int(-1)), ("run_options", text("fourth"))] {
        let error = call_granted(&format!("echo.{method}"), &[value], grant("")).await.unwrap_err();
        assert!(matches!(&error, CallError::Argument { place, .. } if place == "value"), "{method}: {error:?}");
    }
}
