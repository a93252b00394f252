//! Bytes from outside harm nobody: every reader of them is tried with bytes that nobody thought of.
//!
//! A panic, a hang or an answer that is worth nothing fails the test. Readers that only the crate can reach (journals,
//! messages of D-Bus, requests to the overlord's daemon) have the same kind of test in their files.

mod engine;
mod enrolment;

use std::{fmt::Debug, path::Path, str::FromStr};

use engine::fuzz;
use func::{
    access::{Acl, PublicKey, Signature},
    author::Case,
    ca::{Authority, IssueRequest},
    config::Listen,
    fleet::Target,
    ids::{HostName, MethodName, MinionJobId},
    minion::MinionConfig,
    plugin::{Manifest, Metadata, examine},
    tls::{Identity, InvalidTrust, Peer, Role, Statement},
    transfer::{ContentRange, Name, from_range},
    wire::{Value, encode_answer, encode_call, parse_answer, parse_call},
};

/// Whether a text can be read as something.
fn read<T: FromStr<Err: Debug> + Debug>(text: &str) -> Result<(), T::Err> {
    text.parse::<T>().map(drop)
}

/// Of a component, to be examined.
const CHEAP: usize = 4 << 10;

const XML: &[&str] = &[
    "<value>",
    "</value>",
    "<array><data>",
    "</data></array>",
    "<struct>",
    "</struct>",
    "<member>",
    "</member>",
    "<name>",
    "</name>",
    "<int>",
    "</int>",
    "<i4>",
    "<i8>",
    "<nil/>",
    "<string>",
    "</string>",
    "<base64>",
    "</base64>",
    "<double>",
    "</double>",
    "<boolean>1</boolean>",
    "<dateTime.iso8601>20070925T10:00:00</dateTime.iso8601>",
    "<params>",
    "</params>",
    "<param>",
    "</param>",
    "<fault>",
    "</fault>",
    "<methodCall>",
    "</methodCall>",
    "<methodName>",
    "</methodName>",
    "<methodResponse>",
    "</methodResponse>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.0' encoding='utf-8'?>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "&b;",
    "&#0;",
    "&#x110000;",
    "&amp;",
    "&lt;",
    "\u{0}",
    "\u{7f}",
    "\u{feff}",
    "é",
];
const CALL: &[u8] = b"<?xml version='1.0'?><methodCall><methodName>test.add</methodName><params><param><value><int>1</int>\
    </value></param><param><value><array><data><value><string>a&amp;b</string></value><value>plain</value></data></array>\
    </value></param></params></methodCall>";
const ANSWER: &[u8] = b"<methodResponse><params><param><value><struct><member><name>a</name><value><double>1.5</double>\
    </value></member><member><name>b</name><value><base64>AAEC</base64></value></member><member><name>c</name><value><nil/>\
    </value></member></struct></value></param></params></methodResponse>";
const FAULT: &[u8] = b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member>\
    <member><name>faultString</name><value><string>no</string></value></member></struct></value></fault></methodResponse>";

#[test]
fn calls_in_xml() {
    fuzz("calls_in_xml", &[CALL, ANSWER], XML, |bytes| {
        let call = parse_call(bytes)?;
        // What can be read can be written, and is read again as the same.
        assert_eq!(format!("{:?}", parse_call(encode_call(&call).as_bytes()).unwrap()), format!("{call:?}"));
        Ok::<_, func::wire::ParseError>(call.params.len())
    });
}

#[test]
fn answers_in_xml() {
    fuzz("answers_in_xml", &[ANSWER, FAULT, CALL], XML, |bytes| {
        let answer = parse_answer(bytes)?;
        let again = encode_answer(&answer);
        assert_eq!(format!("{:?}", parse_answer(again.as_bytes()).unwrap()), format!("{answer:?}"));
        Ok::<_, func::wire::ParseError>(())
    });
}

#[test]
fn values_in_json() {
    let json = br#"{"a":[1,-2.5,null,true,"x\u00e9"],"$base64":"AAEC"}"#;
    fuzz("values_in_json", &[json], &["{", "}", "[", "]", "null", "1e400", "\"$base64\":", "\\ud800", ","], |bytes| {
        serde_json::from_slice(bytes).map(|json| drop(Value::from_json(&json).to_json()))
    });
}

#[test]
fn values_on_the_disk() {
    let value = Value::structure([("a", Value::Array(vec![1.into(), "x".into(), 1.5.into()])), ("b", Value::Nil)]);
    let written = postcard::to_stdvec(&value).unwrap();
    let deep = postcard::to_stdvec(&Value::Array(Vec::from([Value::Array(vec![value])]))).unwrap();
    let words = ["\u{7}\u{1}", "\u{8}\u{1}\u{1}a", "\u{0}", "\u{4}\u{7f}", "\u{9}"];
    fuzz("values_on_the_disk", &[&written, &deep], &words, |bytes| {
        let value = postcard::from_bytes::<Value>(bytes).map_err(|error| error.to_string())?;
        Ok::<_, String>(value.to_json().to_string().len().min(1))
    });
}

#[test]
fn certificates_and_revocation_lists() {
    let authority = Authority::in_memory("Func CA").unwrap();
    let issued = authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
    let identity = Identity::from_pem(&issued.cert_pem, &issued.key_pem, &issued.ca_pem).unwrap();
    let certificate = identity.certified_key().cert[0].to_vec();
    fuzz("certificates", &[&certificate], &["\u{30}", "\u{6}\u{3}\u{55}", "URI:", "func:"], |bytes| {
        Peer::from_certificate(bytes).map(|peer| peer.role).map_err(|error| error.to_string())
    });

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crl.pem");
    let list = include_bytes!("crl.pem");
    fuzz(
        "revocation_lists",
        &[list],
        &["-----BEGIN X509 CRL-----\n", "-----END X509 CRL-----\n", "MII", "\n"],
        |bytes| {
            written_anew(&path, bytes);
            let read = identity.clone().with_revocations(&path);
            read.map(|identity| "x".repeat(identity.revoked().len().min(9)))
                .map_err(|error| func::telemetry::chain(&error))
        },
    );
}

#[test]
fn statements_of_authorities() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::init(home.path(), "Func CA").unwrap().begin_rotation().unwrap();
    let trust = authority.trust().unwrap().unwrap();
    let minion = authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
    let minion = Identity::from_pem(&minion.cert_pem, &minion.key_pem, authority.certificate()).unwrap();
    let words = ["-----BEGIN FUNC TRUST-----\n", "-----END FUNC TRUST-----\n", "AQAA", "MII", "\n", "="];
    fuzz("statements_in_pem", &[trust.to_pem().as_bytes(), trust.to_file().as_bytes()], &words, |bytes| {
        let taken = minion.convinced_by(bytes).map(|identity| identity.map(|identity| identity.trust_number()));
        taken.map_err(|error| error.to_string().len().min(80))
    });
    let words = ["\u{0}\u{1}", "\u{2}", "\u{0}", "\u{7f}\u{7f}", "\u{30}"];
    let seed = trust.statements()[0].to_bytes();
    fuzz("statements", &[&seed], &words, |bytes| {
        let statement = Statement::from_bytes(bytes)?;
        assert_eq!(Statement::from_bytes(&statement.to_bytes()).as_ref(), Ok(&statement));
        Ok::<_, InvalidTrust>(statement.authorities().len())
    });
}

#[test]
fn signatures_and_keys() {
    let signature = include_bytes!("module.minisig");
    let words = ["untrusted comment: ", "trusted comment: ", "\n", "RWQ", "RUQ", "=", "/", "+"];
    fuzz("signatures", &[signature], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        (text.parse::<Signature>().map(|signature| signature.comment().len()), text.parse::<PublicKey>().map(drop))
    });
}

#[test]
fn components_and_their_sections() {
    let engine = func::plugin::Engine::serving().unwrap();
    let component = wat::parse_str(include_str!("../jobs/work.wat")).unwrap();
    let words = ["\u{0}asm", "wit-package", "func-manifest", "{\"asks\":{}}", "\u{7f}\u{7f}\u{7f}\u{7f}\u{7}"];
    fuzz("components", &[&component], &words, |bytes| {
        let metadata = Metadata::read(bytes);
        // What is compiled is for wasmtime's own fuzzers, and takes its time.
        let examined =
            examine(&engine, None, &bytes[..bytes.len().min(CHEAP)]).map(drop).map_err(|error| error.to_string());
        (metadata.docs_section.is_some(), metadata.manifest.is_some(), examined)
    });
    let manifest = br#"{"asks":{"run":["kill"],"read":["/proc/*/status"],"write":[]},"operator-chooses":["run"]}"#;
    fuzz("manifests", &[manifest], &["{", "}", "[", "]", "\"env\":", "\"/**\"", "\"*\"", ","], |bytes| {
        serde_json::from_slice::<Manifest>(bytes).map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn configurations_grants_and_rules() {
    let home = func::config::Home::at("/srv/func");
    let text = b"[grants.a]\nrun = [\"df\", { program = \"/opt/*\", args = [\"status\", \"*\"] }]\nread = [\"/srv/**\"]\n\
        network = [\"10.0.0.0/8:443\", \"[fd00::/8]:*\"]\nsignal = [\"user:www\"]\nservices = [\"a@*\"]\n[[access]]\nallow = \"a.b\"\n\
        args = [\"x*\"]\n[calls]\ntimeout = \"60s\"\nlargest_request = \"16MiB\"\n[settings.a]\nk = \"v\"\n";
    let words =
        ["[grants.", "]\n", "= [\"", "\"]\n", "{", "}", "*", "**", "[!", "\\", "99999999999999999999GiB", "/../", "[["];
    fuzz("configurations", &[text, func::minion::DEFAULT_TOML.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        MinionConfig::check_text(&text, Path::new("minion.toml"), &home).map_err(|error| error.to_string())
    });
    fuzz("old_rules", &[b"web1-3a4b5c = test.*, disk.usage\n# x\n"], &["=", ",", "-", "*", "#", "\n", "0x"], |bytes| {
        Acl::parse("old.acl", &String::from_utf8_lossy(bytes)).map(drop).map_err(|error| error.to_string())
    });
    let case = b"method = \"a.b\"\nargs = [1]\n[expect]\nvalue = 3\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.toml");
    fuzz("cases", &[case], &["[[", "]]", "\n", " = ", "\"", "{", "}"], |bytes| {
        written_anew(&path, bytes);
        Case::load(&path).map(drop).map_err(|error| func::telemetry::chain(&error))
    });
}

#[test]
fn targets_names_and_headers() {
    let words = [
        "{1..20}",
        "{9..1}",
        "{0..99999999999}",
        "@web",
        "and",
        "or",
        "not",
        "(",
        ")",
        ";",
        "*",
        "[a-z]",
        "\\",
        "~",
        " ",
    ];
    fuzz("targets", &[b"web{1..20};@db and not (db3 or x*)", b"*"], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        read::<Target>(&text)
    });
    let seeds: &[&[u8]] = &[
        b"bytes 5-9/10",
        b"bytes=5-",
        b"/blobs/sha256:00",
        b"/blobs/offer:00",
        b"disk.usage",
        b"web1.example",
        b"[::1]:51234",
    ];
    fuzz(
        "names_and_headers",
        seeds,
        &["bytes ", "bytes=", "-", "/", ".", ":", "async.", "check.", "@1.0.0", "0"],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            (
                read::<ContentRange>(&text).is_ok(),
                from_range(&text).is_ok(),
                Name::in_path(&text).is_some(),
                read::<MethodName>(&text).is_ok(),
                read::<HostName>(&text).is_ok(),
                read::<MinionJobId>(&text).is_ok(),
                read::<Listen>(&text).is_ok(),
            )
        },
    );
}

/// A file that is cut back and written again goes to the disk at once on some file systems, and a new one does not.
fn written_anew(path: &Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
}
