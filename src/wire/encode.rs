//! Out: through dxr's model, made printable first.

use std::{borrow::Cow, fmt::Write as _};

use super::{Answer, Call, RemoteError, Room, Value, scan::is_xml_character};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// The text of a call.
///
/// Arguments nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH) are sent as they are, and refused by the other side.
pub fn encode_call(call: &Call) -> String {
    let params = call.params.iter().map(to_dxr).collect();
    document(&dxr::MethodCall { name: printable(&call.method), params }.to_xml())
}

/// The text of an answer.
///
/// A result that no reader would take becomes a [`RemoteError`] that says so.
pub fn encode_answer(answer: &Answer) -> String {
    let value = |value| document(&dxr::MethodResponse { value: to_dxr(value) }.to_xml());
    match answer {
        Answer::Value(result) => match Room::answer().take(0, result) {
            Ok(()) => value(result),
            Err(why) => value(&RemoteError::from(why).into()),
        },
        Answer::Fault(fault) => {
            let fault = dxr::Fault::new(fault.code, printable(&fault.message).into_owned());
            document(&dxr::FaultResponse { fault }.to_xml())
        }
    }
}

/// dxr can fail only in its serialiser, and nothing that an XML-RPC value holds makes that fail.
fn document(xml: &Result<String, dxr::Error>) -> String {
    let body = xml.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(DECLARATION.len() + body.len());
    text.push_str(DECLARATION);
    text.push_str(body);
    text
}

fn to_dxr(value: &Value) -> dxr::Value {
    match value {
        Value::Nil => dxr::Value::Nil,
        Value::Bool(truth) => dxr::Value::Boolean(*truth),
        Value::Int(number) => match i32::try_from(*number) {
            Ok(small) => dxr::Value::Integer(small),
            Err(_) => dxr::Value::Long(*number),
        },
        Value::Double(number) => dxr::Value::Double(*number),
        Value::String(text) => dxr::Value::String(printable(text).into_owned()),
        Value::Bytes(bytes) => dxr::Value::Base64(bytes.clone()),
        // Years before 0 have no form in XML-RPC and travel as text.
        Value::DateTime(time) => match time.strftime("%Y%m%dT%H:%M:%S").to_string().parse() {
            Ok(time) => dxr::Value::DateTime(time),
            Err(_) => dxr::Value::String(time.to_string()),
        },
        Value::Array(items) => dxr::Value::Array(items.iter().map(to_dxr).collect()),
        Value::Struct(members) => {
            let member = |(key, value): (&String, &Value)| (printable(key).into_owned(), to_dxr(value));
            dxr::Value::Struct(members.iter().map(member).collect())
        }
        // One that is gone must not be taken for any text; no parameter that takes a secret takes this.
        Value::Secret(secret) => secret
            .text()
            .map_or_else(|| dxr::Value::Array(Vec::new()), |text| dxr::Value::String(printable(text).into_owned())),
    }
}

/// Replaces the characters that XML cannot carry by a visible escape.
fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_xml_character) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match (is_xml_character(c), u32::from(c)) {
            (true, _) => out.write_char(c),
            (false, code @ 0..=0xff) => write!(out, "\\x{code:02x}"),
            (false, code) => write!(out, "\\u{code:04x}"),
        };
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, MAX_DEPTH, parse_answer, parse_call};
    use super::*;
    use proptest::prelude::*;

    fn any_date() -> impl Strategy<Value = Value> {
        (0i16..=9999, 1i8..=12, 1i8..=28, 0i8..24, 0i8..60, 0i8..60)
            .prop_map(|(y, mo, d, h, mi, s)| Value::DateTime(jiff::civil::datetime(y, mo, d, h, mi, s, 0)))
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i32>().prop_map(|n| Value::Int(n.into())),
            any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::Double),
            any::<String>().prop_map(|text| Value::String(printable(&text).into_owned())),
            proptest::collection::vec(any::<u8>(), 0..200).prop_map(Value::Bytes),
            any_date(),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::btree_map("[^\u{0}-\u{1f}\u{fffe}\u{ffff}]{0,8}", inner, 0..6)
                    .prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_the_journey(value in any_value()) {
            let answer = Answer::Value(value.clone());
            prop_assert_eq!(parse_answer(encode_answer(&answer).as_bytes()).unwrap(), answer);
            let call = Call::new("test.echo", vec![value.clone(), value]);
            prop_assert_eq!(parse_call(encode_call(&call).as_bytes()).unwrap(), call);
        }

        #[test]
        fn json_keeps_every_value(value in any_value()) {
            prop_assert_eq!(Value::from_json(&value.to_json()), value);
        }

        #[test]
        fn faults_survive_the_journey(code: i32, text: String) {
            let fault = Fault { code, message: printable(&text).into_owned() };
            let answer = Answer::Fault(fault);
            prop_assert_eq!(parse_answer(encode_answer(&answer).as_bytes()).unwrap(), answer);
        }

        #[test]
        fn what_is_written_has_no_character_that_xml_lacks(text: String) {
            let written = encode_answer(&Answer::Value(Value::String(text)));
            prop_assert!(written.chars().all(is_xml_character));
        }
    }

    #[test]
    fn control_characters_go_out_visibly() {
        let text = "\u{0}a\u{1b}[1m\tb\r\n\u{ffff}";
        let Ok(Answer::Value(Value::String(read))) =
            parse_answer(encode_answer(&Answer::Value(text.into())).as_bytes())
        else {
            panic!("not a string")
        };
        assert_eq!(read, "\\x00a\\x1b[1m\tb\r\n\\uffff");
    }

    #[test]
    fn a_result_too_deep_for_any_reader_becomes_an_error() {
        let nest = |levels| (0..levels).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
        let fits = Answer::Value(nest(MAX_DEPTH - 1));
        assert_eq!(parse_answer(encode_answer(&fits).as_bytes()).unwrap(), fits);
        let answer = parse_answer(encode_answer(&Answer::Value(nest(MAX_DEPTH))).as_bytes()).unwrap();
        let Answer::Value(answer) = answer else { panic!("{answer:?}") };
        assert!(RemoteError::from_value(&answer).unwrap().message.contains("nested deeper"));
    }

    #[test]
    fn numbers_that_are_not_finite_travel() {
        for number in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -0.0, 1e300] {
            let text = encode_answer(&Answer::Value(number.into()));
            let Ok(Answer::Value(Value::Double(read))) = parse_answer(text.as_bytes()) else { panic!("{text}") };
            assert!(read.to_bits() == number.to_bits() || number.is_nan() && read.is_nan(), "{text}");
        }
    }
}
