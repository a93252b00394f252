//! Every kind of value goes over the wire into a module and comes back; what does not fit is refused with its place.

use func::fleet::Outcome;
use func::wire::{RemoteError, Value};

use crate::harness::{Fleet, guest};

fn fleet() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[&guest("kinds")]);
    fleet
}

#[track_caller]
fn failure(fleet: &Fleet, method: &str, params: Vec<Value>) -> RemoteError {
    match fleet.ask("m1", method, params) {
        Outcome::Failed(error) => error,
        other => panic!("{method} answered {other:?}"),
    }
}

fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// A record with a field of every kind.
fn everything() -> Value {
    Value::structure([
        ("truth", Value::Bool(true)),
        ("small", Value::Int(-128)),
        ("large", Value::Int(i64::MAX)),
        ("real", Value::Double(-0.25)),
        ("letter", "\u{e9}".into()),
        ("two_words", "a b".into()),
        ("raw", Value::Bytes(vec![0, 255])),
        ("colour", "sky_blue".into()),
        ("may", array(["read".into(), "execute_it".into()])),
        ("shape", Value::structure([("rectangle", array([3.into(), 4.into()]))])),
        ("perhaps", Value::Nil),
        ("counts", Value::structure([("x-y", Value::Int(1)), ("z", Value::Int(2))])),
    ])
}

#[test]
fn what_is_sent_comes_back() {
    let fleet = fleet();
    let date = jiff::civil::datetime(1969, 12, 31, 23, 59, 59, 0);
    let dynamic = Value::structure([
        ("all", array([Value::Nil, true.into(), 1.into(), 0.5.into(), "t".into(), Value::Bytes(vec![7])])),
        ("date", Value::DateTime(date)),
        ("empty", array([])),
    ]);
    let held = Value::structure([
        ("both", Value::structure([("err", Value::from("no"))])),
        ("bad_only", Value::structure([("ok", Value::Nil)])),
        ("neither", Value::structure([("err", Value::Nil)])),
    ]);
    let cases = [
        ("bool", Value::Bool(false)),
        ("s8", Value::Int(i8::MIN.into())),
        ("s16", Value::Int(i16::MIN.into())),
        ("s32", Value::Int(i32::MIN.into())),
        ("s64", Value::Int(i64::MIN)),
        ("u8", Value::Int(u8::MAX.into())),
        ("u16", Value::Int(u16::MAX.into())),
        ("u32", Value::Int(u32::MAX.into())),
        ("u64", Value::Int(i64::MAX)),
        ("f32", Value::Double(0.5)),
        ("f64", Value::Double(-1e300)),
        ("char", "\u{1f600}".into()),
        ("string", "h\u{e9}llo\n".into()),
        ("list", array([1.into(), (-1).into()])),
        ("bytes", Value::Bytes((0..=255).collect())),
        ("matrix", array([array([0.5.into()]), array([])])),
        ("tuple", array([1.into(), "x".into(), true.into()])),
        ("record", everything()),
        ("records", array([everything(), everything()])),
        ("variant", "point".into()),
        ("variant", Value::structure([("circle", Value::Double(1.5))])),
        ("enum", "green".into()),
        ("flags", array([])),
        ("option", Value::Nil),
        ("option", 3.into()),
        ("nested_option", Value::Nil),
        ("nested_option", array([])),
        ("nested_option", array([3.into()])),
        ("options", array([Value::Nil, "x".into()])),
        ("map", Value::structure([("a b", Value::Int(1))])),
        ("held_result", held),
        ("dynamic", dynamic),
    ];
    for (kind, value) in cases {
        let answer = fleet.ask("m1", &format!("kinds.echo_{kind}"), vec![value.clone()]);
        assert_eq!(answer, Outcome::Ok(value), "{kind}");
    }
}

#[test]
fn a_megabyte_of_bytes_comes_back_whole() {
    let fleet = fleet();
    let bytes = Value::Bytes((0..1 << 20).map(|i: u32| i.to_le_bytes()[1]).collect());
    assert!(fleet.ask("m1", "kinds.echo_bytes", vec![bytes.clone()]) == Outcome::Ok(bytes));
}

#[test]
fn the_outer_result_is_a_value_or_an_error() {
    let fleet = fleet();
    assert_eq!(fleet.ask("m1", "kinds.must", vec!["x".into()]), Outcome::Ok("x".into()));
    let error = failure(&fleet, "kinds.must", vec![]);
    assert_eq!(error.kind, "not_found");
    assert!(error.message.contains("there is no value") && error.message.contains("give one"), "{error}");
    assert_eq!(failure(&fleet, "kinds.must_text", vec![Value::Nil]).message, "there is no value");
    assert_eq!(fleet.ask("m1", "kinds.bare", vec![true.into()]), Outcome::Ok(Value::Nil));
    failure(&fleet, "kinds.bare", vec!["false".into()]);
    assert_eq!(fleet.ask("m1", "kinds.nothing", vec![]), Outcome::Ok(Value::Nil));
}

#[test]
fn trailing_options_may_be_left_out_and_nothing_else() {
    let fleet = fleet();
    assert_eq!(fleet.ask("m1", "kinds.trailing", vec!["7".into()]), Outcome::Ok("7 None None".into()));
    let all = fleet.ask("m1", "kinds.trailing", vec![7.into(), Value::Nil, "sky-blue".into()]);
    assert!(matches!(&all, Outcome::Ok(Value::String(text)) if text.starts_with("7 None Some(")), "{all:?}");
    let error = failure(&fleet, "kinds.trailing", vec![]);
    assert!(error.kind == "InvalidArguments" && error.message.contains("first_one: s32"), "{error}");
    failure(&fleet, "kinds.trailing", vec![1.into(), Value::Nil, Value::Nil, Value::Nil]);
}

#[test]
fn what_does_not_fit_is_refused_with_its_place_and_the_type_wanted() {
    let fleet = fleet();
    let refused = |kind: &str, value: Value, words: &[&str]| {
        let error = failure(&fleet, &format!("kinds.echo_{kind}"), vec![value]);
        assert!(error.kind == "InvalidArguments" && words.iter().all(|word| error.message.contains(word)), "{error}");
    };
    refused("u8", 256.into(), &["`it`", "u8", "256"]);
    refused("enum", "purple".into(), &["`it`", "purple", "sky_blue"]);
    refused("list", array([1.into(), "x".into()]), &["it[1]", "s32"]);
    refused("flags", array(["fly".into()]), &["it[0]", "execute_it"]);
    let with = |key: &str, value: Value| {
        let Value::Struct(mut members) = everything() else { unreachable!() };
        members.insert(key.to_owned(), value);
        Value::Struct(members)
    };
    refused("record", with("size", 1.into()), &["it.size", "not a field"]);
    refused("record", with("letter", "ab".into()), &["it.letter", "char"]);
    refused(
        "records",
        array([everything(), with("counts", Value::structure([("k", Value::from("x"))]))]),
        &["it[1].counts.k", "u32"],
    );
}

#[test]
fn what_takes_handles_is_listed_and_not_callable() {
    let fleet = fleet();
    assert_eq!(fleet.ask("m1", "handles.seven", vec![]), Outcome::Ok(Value::Int(7)));
    let error = failure(&fleet, "handles.make", vec![]);
    assert!(error.kind == "NotCallable" && error.message.contains("resource"), "{error}");
}
