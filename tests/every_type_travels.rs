//! Every kind of value goes over the wire into a module and comes back, from a call and from a job; what does not fit
//! is refused with its place.

use func::fleet::Outcome;
use func::wire::{RemoteError, Value};

use crate::harness::{Fleet, guest, until};

fn fleet() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.add_with("m1", "", &[&guest("kinds")]);
    fleet
}

/// Calls the method, and runs it as a job, which must come to the same.
#[track_caller]
fn both_ways(fleet: &Fleet, method: &str, params: &[Value]) -> Outcome {
    let called = fleet.ask("m1", method, params.to_vec());
    assert_eq!(fleet.ask_as_job("m1", method, params.to_vec()), called, "{method}({params:?}) as a job");
    called
}

#[track_caller]
fn answers(fleet: &Fleet, method: &str, params: &[Value], answer: impl Into<Value>) {
    assert_eq!(both_ways(fleet, method, params), Outcome::Ok(answer.into()), "{method}({params:?})");
}

#[track_caller]
fn fails(fleet: &Fleet, method: &str, params: &[Value]) -> RemoteError {
    match both_ways(fleet, method, params) {
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

/// Results as data: all four forms, each of them good or bad.
fn held(case: &str) -> Value {
    let result = |value: Value| Value::structure([(case, value)]);
    let (number, text) = if case == "ok" { (7.into(), Value::Nil) } else { (Value::Nil, "no".into()) };
    let both = if case == "ok" { number.clone() } else { text.clone() };
    Value::structure([
        ("both", result(both)),
        ("good_only", result(number)),
        ("bad_only", result(text)),
        ("neither", result(Value::Nil)),
    ])
}

#[test]
fn scalars_come_back_at_their_limits() {
    let fleet = fleet();
    let ints = |kind, limits: [i64; 2]| limits.map(|limit| (kind, Value::Int(limit)));
    let doubles = |kind, limits: [f64; 4]| limits.map(|limit| (kind, Value::Double(limit)));
    let cases = [
        ints("s8", [i8::MIN.into(), i8::MAX.into()]),
        ints("s16", [i16::MIN.into(), i16::MAX.into()]),
        ints("s32", [i32::MIN.into(), i32::MAX.into()]),
        ints("s64", [i64::MIN, i64::MAX]),
        ints("u8", [0, u8::MAX.into()]),
        ints("u16", [0, u16::MAX.into()]),
        ints("u32", [0, u32::MAX.into()]),
        ints("u64", [0, i64::MAX]),
        [("bool", false.into()), ("bool", true.into())],
        [("char", "\u{1f600}".into()), ("char", "\u{10ffff}".into())],
        [("string", "".into()), ("string", "h\u{e9}llo <&> \t\r\n\u{1f600}".into())],
    ];
    let single = doubles("f32", [f32::MAX.into(), f32::MIN.into(), f32::from_bits(1).into(), -0.5]);
    let double = doubles("f64", [f64::MAX, f64::MIN, f64::from_bits(1), -0.25]);
    for (kind, value) in cases.into_iter().flatten().chain(single).chain(double) {
        answers(&fleet, &format!("kinds.echo_{kind}"), std::slice::from_ref(&value), value.clone());
    }
}

#[test]
fn what_is_made_of_parts_comes_back() {
    let fleet = fleet();
    let date = jiff::civil::datetime(1969, 12, 31, 23, 59, 59, 0);
    let dynamic = Value::structure([
        ("all", array([Value::Nil, true.into(), 1.into(), 0.5.into(), "t".into(), Value::Bytes(vec![7])])),
        ("date", Value::DateTime(date)),
        ("empty", array([])),
    ]);
    let lamps = |numbers: std::ops::Range<u32>| array(numbers.map(|number| format!("l{number:02}").as_str().into()));
    let cases = [
        ("list", array([1.into(), (-1).into()])),
        ("list", array([])),
        ("bytes", Value::Bytes((0..=255).collect())),
        ("bytes", Value::Bytes(vec![])),
        ("matrix", array([array([0.5.into()]), array([])])),
        ("tuple", array([1.into(), "x".into(), true.into()])),
        ("record", everything()),
        ("records", array([everything(), everything()])),
        ("variant", "point".into()),
        ("variant", Value::structure([("circle", Value::Double(1.5))])),
        ("variant", Value::structure([("rectangle", array([0.into(), Value::Int(u32::MAX.into())]))])),
        ("enum", "red".into()),
        ("enum", "sky_blue".into()),
        ("flags", array([])),
        ("flags", array(["read".into(), "write".into(), "execute_it".into()])),
        ("lamps", lamps(0..32)),
        ("lamps", lamps(31..32)),
        ("option", Value::Nil),
        ("option", 3.into()),
        ("nested_option", Value::Nil),
        ("nested_option", array([])),
        ("nested_option", array([3.into()])),
        ("options", array([Value::Nil, "x".into()])),
        ("map", Value::structure([("a b", Value::Int(1))])),
        ("map", Value::structure::<&str>([])),
        ("held_result", held("ok")),
        ("held_result", held("err")),
        ("dynamic", dynamic),
        ("dynamic", Value::Nil),
    ];
    for (kind, value) in cases {
        answers(&fleet, &format!("kinds.echo_{kind}"), std::slice::from_ref(&value), value.clone());
    }
}

#[test]
fn a_megabyte_of_bytes_comes_back_whole() {
    let fleet = fleet();
    let bytes = Value::Bytes((0..1 << 20).map(|i: u32| i.to_le_bytes()[1]).collect());
    assert!(both_ways(&fleet, "kinds.echo_bytes", std::slice::from_ref(&bytes)) == Outcome::Ok(bytes));
}

#[test]
fn the_outer_result_is_a_value_or_an_error() {
    let fleet = fleet();
    answers(&fleet, "kinds.must", &["x".into()], "x");
    let error = fails(&fleet, "kinds.must", &[]);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("not_found", "there is no value (hint: give one)"));

    answers(&fleet, "kinds.must_text", &[7.into()], 7);
    let error = fails(&fleet, "kinds.must_text", &[Value::Nil]);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Error", "there is no value"));

    answers(&fleet, "kinds.check", &[true.into()], Value::Nil);
    let error = fails(&fleet, "kinds.check", &[false.into()]);
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Error", "it is not well"));

    answers(&fleet, "kinds.must_silent", &[7.into()], 7);
    answers(&fleet, "kinds.bare", &[true.into()], Value::Nil);
    // What is called on a command line may be text: `"false"` is false, and the method fails.
    for (method, params) in [("must_silent", vec![]), ("bare", vec![false.into()]), ("bare", vec!["false".into()])] {
        let error = fails(&fleet, &format!("kinds.{method}"), &params);
        assert_eq!(error, RemoteError::new("Error", "the method failed and did not say why"), "{method}({params:?})");
    }
    answers(&fleet, "kinds.nothing", &[], Value::Nil);
}

#[test]
fn trailing_options_may_be_left_out_and_nothing_else() {
    let fleet = fleet();
    answers(&fleet, "kinds.trailing", &["7".into()], "7 None None");
    answers(&fleet, "kinds.trailing", &[7.into(), "x".into()], "7 Some(\"x\") None");
    answers(&fleet, "kinds.trailing", &[7.into(), Value::Nil, "sky-blue".into()], "7 None Some(Colour::SkyBlue)");
    let signature = "first_one: s32, second: option<string>, third: option<enum { red, green, sky-blue }>";
    for count in [0, 4] {
        let error = fails(&fleet, "kinds.trailing", &vec![1.into(); count]);
        assert_eq!(error.kind, "InvalidArguments");
        let message = format!("`kinds.trailing` takes 1 to 3 arguments, not {count}: trailing({signature}) -> string");
        assert_eq!(error.message, message);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place_and_the_type_wanted() {
    let fleet = fleet();
    let refused = |kind: &str, value: Value, words: &[&str]| {
        let error = fails(&fleet, &format!("kinds.echo_{kind}"), &[value]);
        assert!(error.kind == "InvalidArguments" && words.iter().all(|word| error.message.contains(word)), "{error}");
    };
    for (kind, below, above) in [
        ("s8", -129, 128),
        ("s16", -32_769, 32_768),
        ("s32", -2_147_483_649, 2_147_483_648),
        ("u8", -1, 256),
        ("u16", -1, 65_536),
        ("u32", -1, 4_294_967_296),
    ] {
        refused(kind, below.into(), &["`it`", kind, &below.to_string()]);
        refused(kind, above.into(), &["`it`", kind, &above.to_string()]);
    }
    refused("u64", (-1).into(), &["`it`", "u64", "-1"]);
    refused("u64", "18446744073709551616".into(), &["`it`", "u64", "18446744073709551616"]);
    refused("s64", "9223372036854775808".into(), &["`it`", "s64", "9223372036854775808"]);
    refused("f32", 3.5e38.into(), &["`it`", "f32"]);
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for kind in ["f32", "f64"] {
            refused(kind, number.into(), &["`it`", "a finite number", &number.to_string()]);
        }
    }
    refused("char", "".into(), &["`it`", "char"]);
    refused("enum", "purple".into(), &["`it`", "purple", "sky_blue"]);
    refused("variant", "circle".into(), &["`it.circle`", "f64"]);
    refused("list", array([1.into(), "x".into()]), &["it[1]", "s32"]);
    refused("tuple", array([1.into(), "x".into()]), &["`it`", "tuple"]);
    refused("flags", array(["fly".into()]), &["it[0]", "execute_it"]);
    refused("lamps", array(["l32".into()]), &["it[0]", "l32"]);
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
fn what_the_wire_cannot_carry_is_an_error_of_the_answer() {
    let fleet = fleet();
    for (method, given, why) in [
        ("echo_u64", "18446744073709551615", "18446744073709551615 does not fit the wire's 64-bit signed integer"),
        ("to_f32", "nan", "NaN cannot travel"),
        ("to_f32", "-inf", "-inf cannot travel"),
        ("to_f64", "nan", "NaN cannot travel"),
        ("to_f64", "inf", "inf cannot travel"),
    ] {
        let error = fails(&fleet, &format!("kinds.{method}"), &[given.into()]);
        assert_eq!(error.kind, "ResultUnsendable", "{method}: {error}");
        assert!(error.message.contains(why), "{method}: {error}");
    }
    answers(&fleet, "kinds.to_f64", &["-0.5".into()], -0.5);
    // What XML lacks is shown, so that the rest of the answer can be read.
    let control = Value::Bytes(b"a\x00\x1b[1m\tb\n\xef\xbf\xbf".into());
    answers(&fleet, "kinds.to_string", &[control], "a\\x00\\x1b[1m\tb\n\\uffff");
}

#[test]
fn more_flags_than_a_type_may_have_are_refused_with_their_file() {
    let mut fleet = fleet();
    let flags = (0..33).map(|number| format!("\"f{number}\"")).collect::<Vec<_>>().join(" ");
    let text = format!("(component (type (flags {flags})))");
    let minion = fleet.minion("m1");
    std::fs::write(minion.modules().join("lamps.wasm"), wat::parse_str(text).unwrap()).unwrap();
    until("the refusal", || {
        let log = minion.log();
        log.lines().any(|line| line.contains("lamps.wasm") && line.contains("more than 32 flags")).then_some(())
    });
}

#[test]
fn what_takes_handles_is_listed_and_not_callable() {
    let fleet = fleet();
    answers(&fleet, "handles.seven", &[], 7);
    let error = fails(&fleet, "handles.make", &[]);
    assert!(error.kind == "NotCallable" && error.message.contains("resource"), "{error}");
}
