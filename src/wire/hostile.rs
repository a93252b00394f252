//! What strangers send, and the forms that stock clients send.

use super::*;

/// A call with this one parameter.
fn call(value: &str) -> Vec<u8> {
    let head = "<?xml version='1.0'?>\n<methodCall><methodName>test.echo</methodName><params><param>";
    format!("{head}{value}</param></params></methodCall>").into_bytes()
}

fn read(value: &str) -> Result<Value, ParseError> {
    parse_call(&call(value)).map(|mut call| call.params.remove(0))
}

/// Refused, with an error that shows nothing of the input, by both readers.
#[track_caller]
fn refused(body: &[u8]) -> ParseError {
    let error = parse_call(body).expect_err("the call should be refused");
    assert!(parse_answer(body).is_err());
    assert!(!error.to_string().contains("SECRET"), "{error}");
    assert!(error.to_string().len() < 120, "{error}");
    error
}

#[test]
fn what_is_not_xml_is_refused() {
    for body in ["", " ", "SECRET", "{\"method\": \"SECRET\"}", "GET / HTTP/1.1", "<", "<>", "&SECRET;", "]]>", "<?xml"]
    {
        refused(body.as_bytes());
    }
}

#[test]
fn every_half_of_a_document_is_refused() {
    let whole = call("<value><struct><member><name>a</name><value><i4>1</i4></value></member></struct></value>");
    assert!(parse_call(&whole).is_ok());
    for length in 0..whole.len() {
        refused(&whole[..length]);
    }
}

#[test]
fn deep_nesting_is_refused_before_it_costs_anything() {
    let levels = 10_000;
    let value = "<value><array><data>".repeat(levels) + &"</data></array></value>".repeat(levels);
    assert_eq!(refused(&call(&value)), ParseError::TooDeep);
    assert_eq!(refused(&call(&"<value><array><data>".repeat(levels))), ParseError::TooDeep);
    refused("<a>".repeat(levels).as_bytes());
}

#[test]
fn entities_and_document_types_are_refused() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE b [<!ENTITY a 'SECRET'><!ENTITY b '&a;&a;&a;&a;&a;'>]>\
                <methodCall><methodName>&b;</methodName></methodCall>";
    assert!(matches!(refused(bomb.as_bytes()), ParseError::Declaration { .. }));
    let file = "<!DOCTYPE f SYSTEM 'file:///etc/passwd'><methodCall><methodName>a</methodName></methodCall>";
    assert!(matches!(refused(file.as_bytes()), ParseError::Declaration { .. }));
    assert!(matches!(refused(&call("<value>&SECRET;</value>")), ParseError::Declaration { .. }));
    refused(&call("<value><?php SECRET ?></value>"));
}

#[test]
fn nothing_may_stand_around_the_root() {
    let whole = String::from_utf8(call("<value/>")).unwrap();
    let root = whole.split_once('\n').unwrap().1;
    for junk in ["SECRET", "<SECRET/>", "<methodCall/>", &whole, "&amp;", "</methodCall>", "a\u{feff}"] {
        refused(format!("{whole}{junk}").as_bytes());
        refused(format!("{junk}{root}").as_bytes());
    }
    assert!(parse_call(format!("\u{feff}{whole} \n<!-- the end -->\n").as_bytes()).is_ok());
}

#[test]
fn duplicate_keys_are_refused() {
    let member = "<member><name>SECRET</name><value>1</value></member>";
    let error = refused(&call(&format!("<value><struct>{member}{member}</struct></value>")));
    assert!(matches!(error, ParseError::DuplicateKey { .. }));
}

#[test]
fn scalars_must_be_what_they_say() {
    for value in [
        "<int></int>",
        "<int>SECRET</int>",
        "<int>9223372036854775808</int>",
        "<i8>-99999999999999999999999999999999</i8>",
        "<int>1.0</int>",
        "<int>0x10</int>",
        "<int><int>1</int></int>",
        "<double>1,5</double>",
        "<double></double>",
        "<boolean>SECRET</boolean>",
        "<boolean>2</boolean>",
        "<base64>SECRET!</base64>",
        "<base64>a</base64>",
        "<dateTime.iso8601>20260231T00:00:00</dateTime.iso8601>",
        "<dateTime.iso8601>20260101T24:00:00</dateTime.iso8601>",
        "<dateTime.iso8601>SECRET</dateTime.iso8601>",
        "<nil>SECRET</nil>",
        "<SECRET/>",
        "<string/><string/>",
        "SECRET<int>1</int>",
        "<int>1</int>SECRET",
        "<array><value/></array>",
        "<array><data/><data/></array>",
        "<struct><member><value/></member></struct>",
        "<struct><member><name>a</name></member></struct>",
        "<int class='SECRET'>1</int>",
    ] {
        refused(&call(&format!("<value>{value}</value>")));
    }
    let long = format!("<value><int>{}</int></value>", "9".repeat(1_000_000));
    assert!(matches!(refused(&call(&long)), ParseError::Scalar { kind: "integer", .. }));
}

#[test]
fn characters_and_encodings_that_xml_lacks_are_refused() {
    for text in ["\u{0}", "\u{1b}", "\u{fffe}", "&#0;", "&#27;", "&#xffff;", "&#xd800;", "&#99999999;", "&;", "&"] {
        refused(&call(&format!("<value>{text}</value>")));
    }
    refused(&call("<value>a</value>").iter().flat_map(|b| [*b, 0]).collect::<Vec<_>>());
    assert!(matches!(refused(b"<methodCall>SECRET\xff</methodCall>"), ParseError::NotUtf8 { at: 18 }));
    let latin = "<?xml version='1.0' encoding='iso-8859-1'?><methodCall><methodName>a</methodName></methodCall>";
    assert_eq!(refused(latin.as_bytes()), ParseError::Encoding);
}

#[test]
fn small_text_cannot_become_a_large_tree() {
    let value = format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(MAX_VALUES));
    assert_eq!(refused(&call(&value)), ParseError::TooMany);
    assert_eq!(refused(&vec![b' '; MAX_BYTES + 1]), ParseError::TooLarge);
}

#[test]
fn what_stock_clients_send_is_understood() {
    let date = Value::DateTime(jiff::civil::datetime(2026, 7, 11, 22, 19, 0, 0));
    for (text, value) in [
        ("<value>bare &lt;text&gt;</value>", "bare <text>".into()),
        ("<value/>", "".into()),
        ("<value>  </value>", "  ".into()),
        ("<value>a<!-- b -->c<![CDATA[<d>]]>&#233;</value>", "ac<d>é".into()),
        ("<value>\r\n<string> a\r\n</string> </value>", " a\n".into()),
        ("<value><int>\n-7 </int></value>", (-7).into()),
        ("<value><i4>+7</i4></value>", 7.into()),
        ("<value><i8>9223372036854775807</i8></value>", i64::MAX.into()),
        ("<value><ex:i8>1</ex:i8></value>", 1.into()),
        ("<value><boolean>true</boolean></value>", true.into()),
        ("<value><boolean>0</boolean></value>", false.into()),
        ("<value><double>1e+300</double></value>", 1e300.into()),
        ("<value><nil/></value>", Value::Nil),
        ("<value><ex:nil xmlns:ex='urn:x'/></value>", Value::Nil),
        ("<value><base64>\naGVs\nbG8=\n</base64></value>", Value::Bytes(b"hello".to_vec())),
        ("<value><base64>aGVsbG8</base64></value>", Value::Bytes(b"hello".to_vec())),
        ("<value><dateTime.iso8601>20260711T22:19:00</dateTime.iso8601></value>", date.clone()),
        ("<value><dateTime.iso8601>2026-07-11T22:19:00Z</dateTime.iso8601></value>", date),
        ("<value><array/></value>", Value::Array(vec![])),
        ("<value><struct></struct></value>", Value::Struct([].into())),
    ] {
        assert_eq!(read(text).unwrap(), value, "{text}");
    }
}

#[test]
fn a_call_without_parameters_and_a_fault_in_either_order_are_understood() {
    let bare = b"<methodCall><methodName> system.listMethods </methodName></methodCall>";
    assert_eq!(parse_call(bare).unwrap(), Call::new("system.listMethods", vec![]));
    let code = "<member><name>faultCode</name><value><int>4</int></value></member>";
    let text = "<member><name>faultString</name><value>no</value></member>";
    for members in [format!("{code}{text}"), format!("{text}{code}")] {
        let body = format!("<methodResponse><fault><value><struct>{members}</struct></value></fault></methodResponse>");
        let fault = Fault { code: 4, message: "no".into() };
        assert_eq!(parse_answer(body.as_bytes()).unwrap(), Answer::Fault(fault));
    }
}

#[test]
fn dxr_reads_what_is_written_as_we_do() {
    let call = Call::new("a.b", vec![Value::Int(1 << 40), "a b".into(), Value::Nil]);
    let text = encode_call(&call);
    let theirs = dxr::MethodCall::from_xml(&text).unwrap();
    assert_eq!(theirs.params[0], dxr::Value::Long(1 << 40));
    assert_eq!(theirs.params[1], dxr::Value::String("a b".into()));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(body: Vec<u8>) {
        let _ = (parse_call(&body), parse_answer(&body));
    }

    #[test]
    fn no_change_of_a_call_makes_a_reader_panic(at: proptest::sample::Index, junk: Vec<u8>, cut: bool) {
        let value = "<value><struct><member><name>a</name><value><base64>aGk=</base64></value></member>\
                     <member><name>b</name><value><array><data><value>&amp;</value></data></array></value></member>\
                     </struct></value>";
        let mut body = call(value);
        let at = at.index(body.len());
        let end = if cut { body.len().min(at + junk.len()) } else { at };
        body.splice(at..end, junk);
        let _ = (parse_call(&body), parse_answer(&body));
    }
}
